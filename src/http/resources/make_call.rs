//! `POST /api/make_call`: a call, once (SPEC I1, K5).

use std::time::Duration;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, post, rt, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::{Api, part_missing};
use super::super::body::{Body, at_most};
use super::super::caller::Who;
use super::super::problem::{Code, FieldError, Problem};
use super::calls::live_record;
use crate::access::Identity;
use crate::actors::call_supervisor::{BeginCall, CallOwner, PlaceCall};
use crate::clock;
use crate::domain::{CallId, NumberForms, PhoneNumber};
use crate::store::{Claim, Claimed, fault_in_nested, hash};

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const KEY_BYTES_MAX: usize = 255;
const NUMBER_DIGITS_MAX: usize = 32;
const METADATA_BYTES_MAX: usize = 8 * 1024;
/// A call has its key, session and ports within this, or is refused; a store that answers slowly included.
const MAKING_MAX: Duration = Duration::from_secs(60);
const UNDER_WAY_PAUSE: Duration = Duration::from_secs(1);

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(make_call);
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeCall {
    /// Whom to call: a number as the gateway wants it dialled, best with its country, as `+4930123456`.
    #[schema(min_length = 1, max_length = 64, pattern = r"^\+?[0-9][0-9 ()./-]*$", example = "+4930123456")]
    to: String,
    /// The number to show, which must be one of yours; left out, the gateway's own.
    #[schema(max_length = 64)]
    #[serde(default, deserialize_with = "at_most::<_, 64>")]
    from: Option<String>,
    /// Who speaks; left out, the default one.
    #[schema(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    voice_agent_id: Option<String>,
    /// Whatever you want to find in the call's record again; 8 KiB are the most.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Serialize, ToSchema)]
struct MadeCall {
    call_id: String,
}

/// Make a call
///
/// The answer comes as soon as the call has all it needs: its key, a session of the voice model's and its ports. How it goes is told by
/// `GET /api/events` and `GET /api/calls/{id}`. A request sent again with the same `Idempotency-Key` within 24 hours
/// dials nobody twice: it is answered with the first one's call.
#[utoipa::path(tag = "calls", request_body = MakeCall,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send this request again", max_length = 255)),
    responses(
        (status = 202, description = "The call begins; `Location` is where it is looked up", body = MadeCall),
        (status = 409, description = "The first request with this key is being worked on (`under_way`, with `Retry-After`), or nobody knows what became of it (`outcome_unknown`)"),
    )
)]
#[post("/api/make_call")]
async fn make_call(
    api: web::Data<Api>,
    who: Who,
    request: HttpRequest,
    Body(order): Body<MakeCall>,
) -> Result<HttpResponse, Problem> {
    who.identity().may_make_calls()?;
    let order = order.checked()?;
    may_show(&api, who.identity(), order.from.as_deref()).await?;
    let key = idempotency_key(&request)?;
    let making = make(api.as_ref().clone(), who.0.identity, order, key);
    // A client that goes away must not leave a claim without its call.
    let call = rt::spawn(making).await.map_err(|_| part_missing())??;
    let address = format!("/api/calls/{call}");
    let made = MadeCall { call_id: call.to_string() };
    Ok(HttpResponse::Accepted().insert_header((LOCATION, address)).json(made))
}

async fn make(api: Api, identity: Identity, order: MakeCall, key: Option<String>) -> Result<CallId, Problem> {
    let call = clock::new_call_id();
    if let Some(key) = &key {
        let text = serde_json::to_string(&order).map_err(Problem::internal)?;
        let claim =
            Claim { call_id: call.clone(), request_hash: hash(&[&text]), claimed_at: clock::unix_time() };
        if let Claimed::Before(first) = api.idempotency().claim(&identity.user_id, key, &claim).await? {
            return made_before(&api, first, &claim).await;
        }
    }
    let supervisor = api.directory.supervisor().ok_or_else(part_missing)?;
    let begin = BeginCall { call: call.clone(), place: order.placed_by(&identity) };
    let begun = supervisor.send(begin).await.map_err(|_| part_missing())?;
    if let (Err(_), Some(key)) = (&begun, &key) {
        // Nobody was dialled.
        api.idempotency().give_up(&identity.user_id, key).await?;
    }
    begun?;
    Ok(call)
}

/// What the first request with this key has led to.
async fn made_before(api: &Api, first: Claim, this: &Claim) -> Result<CallId, Problem> {
    if first.request_hash != this.request_hash {
        let other = "this key came with another request before; use a new key for a new request";
        return Err(Problem::field(IDEMPOTENCY_KEY, other));
    }
    if live_record(api, &first.call_id).await?.is_some() {
        return Ok(first.call_id);
    }
    if this.claimed_at < first.claimed_at.after(MAKING_MAX) {
        let wait = "the first request with this key is being worked on; send it again in a moment";
        return Err(Problem::new(Code::UnderWay, wait).retry_after(UNDER_WAY_PAUSE));
    }
    let look = "the engine was stopped in the middle of the first request with this key; look at GET /api/calls before \
                you call with a new key";
    Err(Problem::new(Code::OutcomeUnknown, look))
}

/// Nobody shows a number of another tenant (SPEC O2).
async fn may_show(api: &Api, identity: &Identity, from: Option<&str>) -> Result<(), Problem> {
    let Some(from) = from else { return Ok(()) };
    let number = api.catalogue.numbers().find(&PhoneNumber::new(from)).await?.one();
    let is_own = number
        .is_some_and(|number| identity.tenant_id.is_some() && number.record.tenant_id == identity.tenant_id);
    let none = "this is none of your numbers; GET /api/numbers lists them";
    if is_own { Ok(()) } else { Err(Problem::field("from", none)) }
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
    let wrong = format!("has 1 to {KEY_BYTES_MAX} letters, digits and signs of ASCII");
    key.map(|key| Some(key.to_owned())).ok_or_else(|| Problem::field(IDEMPOTENCY_KEY, wrong))
}

impl MakeCall {
    /// Numbers without the signs that people write between digits.
    fn checked(self) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut check = |field: &str, text: &str| match dialled(text) {
            Ok(number) => number,
            Err(detail) => {
                errors.push(FieldError { field: field.to_owned(), detail });
                String::new()
            }
        };
        let to = check("to", &self.to);
        let from = self.from.as_deref().map(|from| check("from", from));
        let metadata_bytes = serde_json::to_string(&self.metadata).map_or(usize::MAX, |text| text.len());
        if metadata_bytes > METADATA_BYTES_MAX {
            let detail = format!("has {metadata_bytes} bytes; {METADATA_BYTES_MAX} are the most");
            errors.push(FieldError { field: "metadata".to_owned(), detail });
        }
        if let Some(detail) = self.metadata.as_ref().and_then(fault_in_nested) {
            errors.push(FieldError { field: "metadata".to_owned(), detail });
        }
        if errors.is_empty() { Ok(Self { to, from, ..self }) } else { Err(Problem::invalid(errors)) }
    }

    fn placed_by(self, identity: &Identity) -> PlaceCall {
        PlaceCall {
            target: self.to,
            owner: CallOwner::Id(identity.user_id.clone()),
            from: self.from,
            gateway: None,
            voice_agent: self.voice_agent_id,
            metadata: self.metadata,
        }
    }
}

/// A number as it is dialled: with its country as E.164, else in the digits that the gateway is given, which may be an
/// extension of its own.
fn dialled(text: &str) -> Result<String, String> {
    let none = || "is no phone number; write digits, best with the country, as +4930123456".to_owned();
    let digits = digits(text).ok_or_else(none)?;
    if !digits.starts_with('+') && !digits.starts_with("00") {
        return Ok(digits);
    }
    let forms = NumberForms::of(text, "").map_err(|error| format!("cannot be dialled: it {error}"))?;
    Ok(forms.e164.expose().to_owned())
}

/// No SIP address: whom the engine talks to is for its operator to say.
fn digits(text: &str) -> Option<String> {
    let (plus, rest) = text.strip_prefix('+').map_or(("", text), |rest| ("+", rest));
    let digits: String = rest.chars().filter(|sign| !" ()./-".contains(*sign)).collect();
    let is_number = (1..=NUMBER_DIGITS_MAX).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && rest.starts_with(|sign: char| sign.is_ascii_digit());
    is_number.then(|| format!("{plus}{digits}"))
}

#[cfg(test)]
mod tests {
    use super::{dialled, digits};

    #[test]
    fn a_number_is_dialled_without_what_people_write_between_its_digits() {
        for (text, number) in [("+49 (30) 123-456", "+4930123456"), ("030/12.34", "0301234"), ("100", "100")]
        {
            assert_eq!(digits(text).as_deref(), Some(number));
        }
    }

    #[test]
    fn a_number_with_its_country_is_dialled_as_e164_and_refused_with_a_reason_where_it_can_be_nobodys() {
        for (text, number) in
            [("0049 30 123456", "+4930123456"), ("+49 (0)30 123456", "+4930123456"), ("100", "100")]
        {
            assert_eq!(dialled(text).as_deref(), Ok(number));
        }
        for text in ["+49", "0049", "+4930", "+49301234567890123", "00"] {
            let why = dialled(text).unwrap_err();
            assert!(why.contains("7 to 15") || why.contains("missing"), "{text}: {why}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_dialled() {
        let long = "1".repeat(33);
        for text in ["", "+", "sip:a@b", "12a", "++49", "+(49)1", "1;x=y", "*21#", "１２３", long.as_str()]
        {
            assert_eq!(digits(text), None, "{text}");
        }
    }
}
