//! What the model's tools ask to be kept.

use super::*;

#[test]
fn u3_a_lead_is_in_the_store_when_the_model_hears_so_and_is_linked_both_ways() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        let id = keep_lead(&books, json!({ "name": "Ada" })).await;
        assert_eq!(bench.leads().await, [(id.as_str().unwrap().to_owned(), json!({ "name": "Ada" }))]);
        assert_eq!(keep_lead(&books, json!({ "name": "Ada" })).await, id);
        assert_eq!(keep_lead(&books, json!({ "name": "ADA", "phone": "030" })).await, id);
        assert_eq!(bench.leads().await.len(), 1);
        assert_eq!(bench.leads().await[0].1, json!({ "name": "ADA", "phone": "030" }));
        end(&books).await;
        let record = bench.stored().await;
        assert_eq!((record.leads.len(), record.leads[0].as_str()), (1, id.as_str().unwrap()));
        assert!(record.pending_leads.is_empty());
    });
}

#[test]
fn s5_a_lead_of_a_time_without_a_store_is_in_the_journal_and_arrives_once() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        until("the call is known", async || bench.calls.get(&call()).await.unwrap().is_some()).await;
        bench.gate.set(Position::Away);
        let id = keep_lead(&books, json!({ "name": "Ada" })).await;
        let left = bench.left_by_a_kill("left");
        let in_journal = Journal::read(&left).unwrap();
        assert_eq!(in_journal[0].body["pending_leads"][0]["id"], id, "safe before the model hears so");
        books.send(StopBooks).await.unwrap();
        bench.gate.set(Position::Open);
        let _next = bench.books_on(&left);
        bench.journal_is_empty(&left).await;
        assert_eq!(bench.leads().await, [(id.as_str().unwrap().to_owned(), json!({ "name": "Ada" }))]);
        let record = bench.calls.get(&call()).await.unwrap().unwrap();
        assert_eq!((record.leads.len(), record.pending_leads.len()), (1, 0));
    });
}

#[test]
fn a_store_that_does_not_answer_keeps_no_model_waiting() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        until("the call is known", async || bench.calls.get(&call()).await.unwrap().is_some()).await;
        bench.gate.set(Position::Silent(Vec::new()));
        keep_lead(&books, json!({ "name": "Ada" })).await;
        bench.journal_has(|record| record.pending_leads.len() == 1).await;
        bench.gate.set(Position::Open);
        end(&books).await;
        bench.stored().await;
        assert_eq!(bench.leads().await.len(), 1);
    });
}

#[test]
fn what_is_kept_for_a_call_that_nobody_knows_is_refused_in_words() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        let deed = Deed::Lead(serde_json::Map::new());
        let refused = books.send(KeepDeed { call: call(), deed }).await.unwrap();
        assert!(refused.is_err_and(|told| told.contains("could not be stored")));
    });
}

#[test]
fn a_callback_is_in_the_record_and_in_the_list_once_with_the_number_of_the_call_where_none_was_named() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        for _ in 0..2 {
            assert_eq!(keep_callback(&books, 0, false).await, "scheduled");
        }
        let stored = bench.calls.get(&call()).await.unwrap().unwrap();
        assert_eq!(stored.callbacks.len(), 1);
        let callback = &stored.callbacks[0];
        let due = Timestamp::from_millis(4_000_000_000_000);
        assert_eq!((callback.number.expose(), callback.due), ("+4930123", due));
        let listed = bench.callbacks().await;
        assert_eq!((listed.len(), &listed[0].agreed, &listed[0].session_id), (1, callback, &call()));
    });
}

#[test]
fn a_changed_appointment_replaces_the_former_in_the_record_and_in_the_list_and_another_stands_beside_it() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        assert_eq!(keep_callback(&books, 0, false).await, "scheduled");
        let first = bench.callbacks().await.remove(0);
        assert_eq!(keep_callback(&books, 1, false).await, "changed");
        let changed = bench.callbacks().await;
        assert_eq!((changed.len(), &changed[0].id, changed[0].agreed.changes), (1, &first.id, 1));
        assert!(changed[0].agreed.due > first.agreed.due);
        assert_eq!(keep_callback(&books, 5, true).await, "scheduled");
        assert_eq!(bench.callbacks().await.len(), 2);
        let stored = bench.calls.get(&call()).await.unwrap().unwrap();
        assert_eq!(stored.callbacks.len(), 2);
        assert_eq!(stored.callbacks[0], changed[0].agreed);
    });
}

#[test]
fn s5_a_callback_of_a_time_without_a_store_arrives_in_the_list_once() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        until("the call is known", async || bench.calls.get(&call()).await.unwrap().is_some()).await;
        bench.gate.set(Position::Away);
        keep_callback(&books, 0, false).await;
        let left = bench.left_by_a_kill("left");
        books.send(StopBooks).await.unwrap();
        bench.gate.set(Position::Open);
        let _next = bench.books_on(&left);
        bench.journal_is_empty(&left).await;
        assert_eq!(bench.callbacks().await.len(), 1);
    });
}

#[test]
fn whatever_a_tool_was_told_and_answered_is_brought_into_a_form_that_is_stored() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        let deep = (0..120).fold(json!(u64::MAX), |inner, _| json!([inner]));
        let args = json!({ "deep": deep, "beyond": u64::MAX });
        let call_of_tool = ToolCall { id: "t1".into(), name: "weather".into(), args };
        let result = Ok(json!({ "text": "x".repeat(100_000) }));
        let note = Note::ToolDone(ToolDone { call: call_of_tool, result });
        books.send(CallNote { call: call(), note }).await.unwrap();
        end(&books).await;
        let kept = bench.stored().await.tool_results;
        assert_eq!((kept.len(), kept[0].name.as_str(), kept[0].ok), (1, "weather", true));
        assert_eq!(kept[0].arguments["beyond"], "18446744073709551615");
        assert_eq!(kept[0].result["cut"], true);
    });
}
