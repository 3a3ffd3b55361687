//! Web services of the operator's as tools of the model (SPEC G3): what they get, what the model hears of them, and that
//! no service, however it behaves, harms the call.

use std::sync::{Arc, Mutex};

use clearline::domain::{CallId, VoiceAgent, Webhook};
use clearline::sandbox::model::CallPlan;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::far_end::FarEnd;
use crate::world::{ADAS_KEY, ADAS_NUMBER, World, play};

/// A service that answers by the path it is asked on, and keeps what it was sent.
struct Service {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&asked);
        actix::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix::spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Self { port, asked }
    }

    fn webhook(&self, name: &str, timeout_ms: u64) -> Webhook {
        let url = format!("http://127.0.0.1:{}/{name}", self.port);
        let parameters = json!({ "type": "object", "properties": { "article": { "type": "string" } },
                                 "required": ["article"] });
        let Value::Object(parameters) = parameters else { panic!("an object") };
        Webhook { parameters, timeout_ms, ..Webhook::to(name.into(), format!("Tries {name}."), url) }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

async fn serve(mut stream: TcpStream, asked: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("nobody panics with it").push(text);
    let (status, body) = match path.as_str() {
        "/good" => ("200 OK", r#"{"in_stock":3}"#.to_owned()),
        "/text" => ("200 OK", "three are left".to_owned()),
        "/huge" => ("200 OK", "x".repeat(3_000_000)),
        "/broken" => ("500 Internal Server Error", "out of order".to_owned()),
        _ => return std::future::pending().await,
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // A client that has read enough goes.
    drop(stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await);
}

/// A world whose model uses these webhooks, one a turn, always with an article.
async fn world_with(webhooks: Vec<Webhook>, allow_private: bool) -> World {
    let call = |(turn, webhook): (u32, &Webhook)| {
        let args = json!({ "article": "lamp" });
        CallPlan { turn, name: webhook.name.clone(), args }
    };
    let calls = (1..).zip(&webhooks).map(call).collect();
    World::planned(|plan| {
        plan.settings.tools.allow_private_addresses = allow_private;
        plan.settings.voice_agents = vec![VoiceAgent { webhooks, ..VoiceAgent::default() }];
        plan.model.script.calls = calls;
    })
    .await
}

async fn greeted(world: &World) -> (FarEnd, CallId) {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), ADAS_NUMBER).await;
    let call = world.news.call_of("ada", 0).await;
    world.news.greeted(&call).await;
    (caller, call)
}

/// One more turn: what the model was told, once it speaks again.
async fn told(world: &World, caller: &FarEnd, number: usize) -> Value {
    caller.hears_silence(10).await;
    let since = caller.packets_so_far();
    caller.say(500.0, 600);
    let session = world
        .session_when(ADAS_KEY, "the tool is answered", |session| {
            session.tool_calls.get(number).is_some_and(|call| call.answer.is_some())
        })
        .await;
    caller.hears(world.marker(ADAS_KEY).await, since).await;
    session.tool_calls[number].answer.clone().expect("an answer")
}

#[test]
fn a_service_gets_what_the_model_says_and_the_model_hears_its_answer() {
    play(async {
        let service = Service::open().await;
        let webhooks = vec![service.webhook("good", 5_000), service.webhook("text", 5_000)];
        let world = world_with(webhooks, true).await;
        let (caller, call) = greeted(&world).await;
        assert_eq!(told(&world, &caller, 0).await, json!({ "output": { "in_stock": 3 } }));
        assert_eq!(told(&world, &caller, 1).await, json!({ "output": { "text": "three are left" } }));
        let sent = format!(r#"{{"arguments":{{"article":"lamp"}},"call_id":"{call}","tool":"good"}}"#);
        assert!(service.asked()[0].ends_with(&sent), "{:?}", service.asked());
        caller.hang_up().await;
        let record = world.record(&call).await;
        assert_eq!(record.tool_results[0].result, json!({ "in_stock": 3 }));
        assert!(record.tool_results.iter().all(|result| result.ok), "{:?}", record.tool_results);
        world.close().await;
    });
}

#[test]
fn a_service_that_is_slow_huge_or_broken_is_told_of_and_the_call_goes_on() {
    play(async {
        let service = Service::open().await;
        let webhooks = vec![
            service.webhook("slow", 200),
            service.webhook("huge", 5_000),
            service.webhook("broken", 5_000),
        ];
        let world = world_with(webhooks, true).await;
        let (caller, call) = greeted(&world).await;
        let slow = told(&world, &caller, 0).await;
        assert_eq!(slow["error"], "the service did not answer within 200 ms");
        let huge = told(&world, &caller, 1).await["output"].clone();
        assert_eq!((&huge["cut"], huge["beginning"].as_str().map(str::len)), (&json!(true), Some(6_000)));
        assert_eq!(told(&world, &caller, 2).await["error"], "the service answered 500: out of order");
        caller.hang_up().await;
        let record = world.record(&call).await;
        let went_well: Vec<_> = record.tool_results.iter().map(|result| result.ok).collect();
        assert_eq!(went_well, [false, true, false]);
        world.close().await;
    });
}

#[test]
fn a_service_in_a_private_network_is_not_called_and_arguments_that_do_not_fit_are_not_sent() {
    play(async {
        let service = Service::open().await;
        let strict = json!({ "type": "object", "properties": { "article": { "type": "integer" } } });
        let Value::Object(strict) = strict else { panic!("an object") };
        let unfit = Webhook { parameters: strict, ..service.webhook("unfit", 5_000) };
        let world = world_with(vec![service.webhook("good", 5_000), unfit], false).await;
        let (caller, call) = greeted(&world).await;
        let refused = told(&world, &caller, 0).await;
        assert!(refused["error"].as_str().is_some_and(|told| told.contains("private network")), "{refused}");
        let unfit = told(&world, &caller, 1).await;
        assert_eq!(unfit["error"], "the arguments do not fit: article must be integer");
        assert!(service.asked().is_empty());
        caller.hang_up().await;
        assert_eq!(world.record(&call).await.tool_results.len(), 2);
        world.close().await;
    });
}
