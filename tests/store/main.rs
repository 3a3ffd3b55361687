//! What every back end of the store must do, written once against its interface and run on each of them.
//!
//! A case of `suite` gets a [`bench::Bench`]: an empty store of its own, which it may open again as another process
//! would, let crash, take away and bring back. Benches are the embedded store; FerretDB, a server of the MongoDB
//! protocol that the test builds from Go modules (skipped, with one line, where there is no Go); and any server that
//! the variable MONGODB_URI names.
//!
//! FerretDB reads, filters and writes in three steps, so it is asked through a [`line::Line`] that lets one request
//! through at a time. Races of the server's own are proven by the embedded store and by the server of MONGODB_URI.

mod bench;
mod embedded;
mod ferretdb;
mod ferretdb_server;
mod foreign;
mod full_disk;
mod line;
mod migrating;
mod named_server;
#[expect(dead_code, reason = "tests/peers has more kinds of programs")]
#[path = "../peers/process.rs"]
mod process;
mod serving;
mod small_disk;
mod suite;

use bench::run;

/// One test per back end and case.
macro_rules! on_every_back_end {
    ($($subject:ident: $($case:ident),+;)+) => {
        on_back_end!(on_the_embedded_store, crate::embedded::Embedded, $($subject: $($case),+;)+);
        on_back_end!(on_ferretdb, crate::ferretdb::FerretDb, $($subject: $($case),+;)+);
        on_back_end!(on_the_server_of_mongodb_uri, crate::named_server::NamedServer, $($subject: $($case),+;)+);
    };
}

macro_rules! on_back_end {
    ($back_end:ident, $bench:ty, $($subject:ident: $($case:ident),+;)+) => {
        mod $back_end {
            $($(
                #[test]
                fn $case() {
                    crate::run::<$bench>(crate::suite::$subject::$case);
                }
            )+)+
        }
    };
}

on_every_back_end! {
    documents:
        a_document_comes_back_as_it_was_inserted_with_version_and_times,
        names_and_values_come_back_exactly,
        a_body_that_some_store_would_have_to_change_is_refused_by_all,
        a_conflict_names_the_field_that_is_taken,
        documents_without_a_unique_field_do_not_conflict,
        a_unique_value_that_was_given_up_is_free_again,
        compare_and_set_moves_version_and_time_and_the_slower_writer_learns_that_it_lost,
        a_document_is_deleted_by_whoever_knows_its_newest_version_and_its_unique_fields_are_free_again,
        what_is_put_in_order_ends_with_the_first_that_is_not_taken,
        what_cannot_be_stored_keeps_all_that_was_to_be_put_with_it_away;
    questions:
        an_index_is_read_page_by_page_in_both_directions,
        pages_go_on_behind_the_last_document_whatever_comes_and_goes_meanwhile,
        a_question_by_two_fields_gives_what_matches_both,
        a_question_compares_texts_numbers_and_truth_values,
        a_question_no_index_can_answer_is_refused_instead_of_slow,
        a_question_tells_documents_with_a_field_from_those_without,
        a_pair_of_fields_is_asked_together_or_by_its_first,
        a_question_may_be_about_some_ids_only_page_by_page,
        members_that_are_not_asked_for_are_left_out_and_stay_in_the_store;
    races:
        of_many_who_claim_the_same_id_exactly_one_wins,
        of_many_who_claim_the_same_unique_value_exactly_one_wins,
        concurrent_writers_lose_no_document_and_readers_are_answered_meanwhile,
        no_increment_of_a_shared_counter_is_lost,
        writes_of_one_document_are_done_in_the_order_in_which_they_were_asked_for;
    outages:
        what_was_answered_is_there_after_a_crash,
        a_store_that_is_away_fails_and_works_again_once_it_is_back,
        a_slow_store_answers_everything_and_mixes_nothing_up,
        a_store_that_is_asked_too_much_says_so_at_once_and_answers_what_it_took;
    collections:
        a_user_is_found_by_id_and_by_name_and_names_are_unique,
        a_user_record_with_an_unknown_role_names_itself_and_hurts_nobody_else,
        a_user_is_changed_without_losing_what_only_another_program_knows_and_can_be_removed,
        merging_a_call_from_two_sides_keeps_both_changes,
        a_call_that_is_saved_again_keeps_what_somebody_else_wrote_meanwhile,
        users_made_at_once_get_different_keys_while_there_are_free_ones;
    leases:
        engines_that_race_for_the_last_slots_of_a_project_get_as_many_as_there_are,
        of_many_who_want_one_slot_one_has_it_and_it_is_given_back_by_that_one_alone,
        the_slots_of_a_dead_engine_come_back_to_the_others,
        an_engine_that_starts_again_frees_what_its_last_run_left,
        another_run_under_one_s_own_name_is_noticed;
    outbox:
        calls_with_one_number_and_one_day_get_names_of_their_own_at_two_engines_at_once,
        a_call_that_is_opened_again_keeps_its_name_and_its_progress,
        what_is_long_done_is_forgotten_and_neither_reported_nor_sent_again,
        an_upload_is_found_by_its_engine_until_it_is_done_and_what_is_further_on_stays,
        what_is_parked_is_listed_to_its_tenant_and_tried_again_with_an_audit_entry,
        one_engine_is_at_a_step_and_gives_it_up_by_itself_or_by_being_over;
    call_papers:
        a_call_is_there_with_its_upload_from_beginning_to_end,
        calls_that_begin_at_once_have_names_of_their_own_without_gaps,
        a_call_that_begins_again_keeps_its_name_and_its_upload,
        what_others_wrote_into_a_record_stays_when_its_call_ends,
        a_lost_call_is_closed_though_others_write_into_its_record_at_that_moment,
        what_is_written_into_a_lost_calls_record_moves_its_end_no_further;
    notifications:
        an_event_that_is_told_of_again_is_there_once_and_as_far_as_it_was,
        what_is_due_is_found_by_its_subscriber_its_engine_and_its_call,
        what_is_parked_is_its_tenants_to_see_and_is_tried_again_with_an_audit_entry,
        what_nobody_takes_is_parked_and_what_is_over_is_forgotten;
    key_health:
        engines_that_report_the_same_trouble_at_once_write_down_one,
        a_healed_key_is_healed_for_all_and_the_healing_is_in_the_audit_log;
    records:
        a_persona_s_name_is_unique_in_its_tenant_however_it_is_written,
        a_change_that_expects_an_older_version_is_lost_and_one_that_expects_none_is_made,
        a_tenant_s_personas_are_its_own_and_the_shared_ones_page_by_page,
        a_number_is_found_by_every_form_it_is_dialled_in_and_is_there_once,
        digits_that_are_numbers_of_two_countries_are_nobody_s,
        digits_that_are_one_number_with_and_another_without_its_country_are_nobody_s,
        a_number_of_another_program_is_listed_and_found_once_it_was_changed,
        rules_are_replaced_and_what_other_programs_wrote_beside_them_stays,
        a_lead_is_found_by_its_call_and_listed_newest_first,
        call_backs_are_listed_by_whose_they_are_whether_done_and_when_due,
        a_call_back_that_is_written_again_stays_done_and_one_that_was_changed_is_not;
    migrations:
        numbers_of_another_program_are_found_by_dialling_once_they_are_migrated,
        users_of_an_older_system_get_what_they_lack_and_keep_the_rest,
        what_was_migrated_is_not_migrated_again_and_changes_nothing_when_it_is,
        of_two_engines_at_once_one_runs_each_migration,
        an_engine_waits_for_another_s_migration_and_takes_up_one_that_stands_still,
        a_migration_stops_at_what_it_cannot_decide_and_goes_on_once_that_is_mended,
        ways_back_are_gone_newest_first_and_none_is_begun_that_has_no_end,
        a_store_that_a_newer_version_has_migrated_is_refused_until_it_went_back,
        a_migration_whose_store_is_away_says_so_and_is_run_once_it_is_back,
        two_processes_that_migrate_at_once_do_it_once;
    going_back:
        nobody_goes_back_from_under_an_engine_whose_beat_is_raised,
        an_engine_keeps_everybody_from_going_back_until_it_is_killed;
    settings:
        a_setting_is_kept_and_another_process_sees_it_until_it_is_taken_away,
        settings_that_are_changed_at_the_same_instant_are_all_kept;
    call_lists:
        calls_are_listed_newest_first_to_those_whose_they_are,
        calls_are_narrowed_by_each_filter_and_by_several,
        a_call_that_cannot_be_read_hides_no_other;
}
