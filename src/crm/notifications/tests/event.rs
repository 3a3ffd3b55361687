use serde_json::{Value, json};

use crate::crm::notifications::{Event, Notification, NotificationKey};
use crate::domain::{
    CallId, CallRecord, CallUpload, CallbackWish, Direction, EventKind, Lead, LeadId, NodeId,
    NotificationState, Outcome, PhoneNumber, ScheduledCallback, Secret, StartId, Subscriber, SubscriberName,
    TenantId, Timestamp, UploadState,
};

const TENANT: &str = "t1";

fn record() -> CallRecord {
    let mut record = CallRecord::started(
        CallId::new("c1"),
        Direction::Inbound,
        PhoneNumber::new("+4930123456"),
        PhoneNumber::new("+4930456"),
        Timestamp::from_millis(1_000),
    );
    record.tenant_id = Some(TenantId::new(TENANT));
    record
}

fn ended() -> CallRecord {
    let mut record = record();
    record.answered_time = Some(Timestamp::from_millis(2_000));
    record.call_end_time = Some(Timestamp::from_millis(65_500));
    record.outcome = Some(Outcome::Completed);
    record
}

fn subscriber() -> Subscriber {
    Subscriber::to(SubscriberName::new("warehouse"), "https://w".into(), Secret::new("whsec_"))
}

fn notification(event: &Event, record: &CallRecord) -> Notification {
    event.for_subscriber(&subscriber(), record, (NodeId::new("n"), StartId::new("s")))
}

fn payload(event: &Event, record: &CallRecord) -> Value {
    serde_json::from_str(&notification(event, record).payload).unwrap()
}

fn lead() -> Lead {
    let body = json!({ "id": "l1", "session_id": "c1", "fields": { "name": "Eve" } });
    serde_json::from_value(body).unwrap()
}

fn upload(url: Option<&str>) -> CallUpload {
    CallUpload { state: UploadState::Done, recording_url: url.map(str::to_owned), reason: None }
}

#[test]
fn i10_a_record_says_what_has_happened_and_nothing_that_has_not() {
    let kinds = |record: &CallRecord| Event::of_record(record).map(|event| event.kind()).collect::<Vec<_>>();
    assert_eq!(kinds(&record()), [EventKind::CallStarted]);
    assert_eq!(kinds(&ended()), [EventKind::CallStarted, EventKind::CallAnswered, EventKind::CallEnded]);
    let never_answered = CallRecord { answered_time: None, ..ended() };
    assert_eq!(kinds(&never_answered), [EventKind::CallStarted, EventKind::CallEnded]);
    let not_over = CallRecord { outcome: None, ..ended() };
    assert_eq!(kinds(&not_over), [EventKind::CallStarted, EventKind::CallAnswered]);
}

#[test]
fn i10_an_event_tells_the_call_as_it_stands_with_every_member_there() {
    let record = ended();
    let event = Event::of_record(&record).last().unwrap();
    let told = payload(&event, &record);
    let expected = json!({
        "id": "c1_call-ended",
        "type": "call.ended",
        "timestamp": "1970-01-01T00:01:05.500Z",
        "data": { "call": {
            "id": "c1", "crm_call_id": null, "direction": "inbound", "tenant_id": TENANT, "owner_id": null,
            "voice_agent_id": null, "campaign_id": null, "from_number": "+4930123456", "dialed_number": "+4930456",
            "started_at": "1970-01-01T00:00:01.000Z", "ringing_at": null, "answered_at": "1970-01-01T00:00:02.000Z",
            "ended_at": "1970-01-01T00:01:05.500Z", "outcome": "completed", "end_reason": null,
            "duration_seconds": 64, "recording": null, "lead_ids": [], "metadata": null,
        } },
    });
    assert_eq!(told, expected);
    let started = payload(&Event::of_record(&record).next().unwrap(), &record);
    let members =
        |told: &Value| told["data"]["call"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&started), members(&told));
}

#[test]
fn i10_an_event_that_is_told_of_again_is_the_same_and_a_call_meets_its_events_in_the_order_of_their_ids() {
    let record = CallRecord { leads: vec![LeadId::new("l1")], ..ended() };
    let now = Timestamp::from_millis(70_000);
    let mut events: Vec<_> = Event::of_record(&record).collect();
    let added_to = Lead { additions: 1, ..lead() };
    events.splice(2..2, Event::of_lead(&record, &added_to, now));
    events.push(Event::uploaded(&record, &upload(None), now));
    events.push(Event::uploaded(&record, &upload(Some("https://crm/1")), now));
    let notifications: Vec<_> = events.iter().map(|event| notification(event, &record)).collect();
    assert!(notifications.is_sorted_by(|one, next| one.id < next.id), "{notifications:?}");
    let name = SubscriberName::new("warehouse");
    let (from, until) = NotificationKey { call: &record.session_id, subscriber: &name }.ids();
    let is_within = |it: &Notification| it.id.as_str() >= from.as_str() && it.id.as_str() < until.as_str();
    assert!(notifications.iter().all(is_within));
    assert!(notifications.iter().all(|it| !it.event_id.contains('.')), "the signature puts one behind it");
    let again: Vec<_> = Event::of_record(&record).map(|event| notification(&event, &record).id).collect();
    assert!(again.iter().all(|id| notifications.iter().any(|it| it.id == *id)));
    assert_eq!(
        payload(&events[2], &record)["data"]["lead"],
        json!({ "id": "l1", "fields": { "name": "Eve" } })
    );
    assert_eq!(payload(&events[6], &record)["data"]["upload"]["recording_url"], "https://crm/1");
}

#[test]
fn i10_each_addition_to_a_lead_is_an_event_of_its_own_with_the_whole_lead() {
    let record = record();
    let told = |additions, name: &str| {
        let fields = json!({ "name": name, "phone": "030" }).as_object().unwrap().clone();
        let lead = Lead { additions, fields, ..lead() };
        let events = Event::of_lead(&record, &lead, Timestamp::from_millis(3_000));
        events.map(|event| notification(&event, &record)).collect::<Vec<_>>()
    };
    assert_eq!(told(0, "Eve").len(), 1);
    let (first, tenth) = (told(1, "Eve"), told(10, "Ada"));
    assert_eq!(first[0].id, tenth[0].id, "it is created once");
    assert!(first[0].id < first[1].id && first[1].id < tenth[1].id, "{:?}", first[1].id);
    assert_eq!(tenth[1].event, EventKind::LeadUpdated);
    let payload: Value = serde_json::from_str(&tenth[1].payload).unwrap();
    assert_eq!(payload["data"]["lead"], json!({ "id": "l1", "fields": { "name": "Ada", "phone": "030" } }));
    assert_eq!(
        (&payload["type"], &payload["id"]),
        (&json!("lead.updated"), &json!("c1_lead-updated_l1-0010"))
    );
}

#[test]
fn i10_a_callback_and_each_change_of_it_are_events_with_the_appointment_as_it_stands() {
    let mut record = record();
    let agree = |record: &mut CallRecord, hour: u64| {
        let due = Timestamp::from_millis(hour * 3_600_000);
        let wish = CallbackWish { due, number: None, reason: "offer".into(), is_another: false };
        record.agree_on_callback(wish, Timestamp::from_millis(9_000)).unwrap();
        record.revision += 1;
        let callback = ScheduledCallback::of_record_since(record, 0).remove(0);
        Event::of_callback(record, &callback).map(|event| notification(&event, record)).collect::<Vec<_>>()
    };
    let (first, second) = (agree(&mut record, 1), agree(&mut record, 2));
    assert_eq!((first.len(), second.len()), (1, 2));
    assert_eq!(first[0].id, second[0].id, "it is agreed on once");
    assert!(second[0].id < second[1].id, "{:?}", second);
    let told: Value = serde_json::from_str(&second[1].payload).unwrap();
    assert_eq!(
        (&told["type"], &told["timestamp"]),
        (&json!("callback.changed"), &json!("1970-01-01T00:00:09.000Z"))
    );
    let callback = &told["data"]["callback"];
    assert_eq!(
        (&callback["due"], &callback["number"]),
        (&json!("1970-01-01T02:00:00.000Z"), &json!("+4930123456"))
    );
    let ended = Event::of_record(&ended()).last().unwrap();
    assert!(second[1].id < notification(&ended, &record).id);
}

#[test]
fn what_is_printed_of_a_notification_has_no_number_in_it() {
    let record = record();
    let event = Event::of_record(&record).next().unwrap();
    let notification = notification(&event, &record);
    assert!(notification.payload.contains("+4930123456") && notification.state == NotificationState::Due);
    assert!(!format!("{notification:?}").contains("4930"), "{notification:?}");
}
