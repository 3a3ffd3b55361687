//! What travels: requests and responses, their headers and addresses, and how they are written.
//!
//! Header values stay text until somebody asks for their structure; comma-separated lists are already taken apart,
//! one entry a value. `Content-Length` is never among the headers: the writer counts the body itself.

mod headers;
mod method;
mod name;
mod params;
mod request;
mod response;
mod status;
mod uri;
mod write;

pub use headers::Headers;
pub use method::Method;
pub use name::HeaderName;
pub use params::{MAX_PARAMS, Params};
pub use request::Request;
pub use response::Response;
pub use status::reason_phrase;
pub use uri::{Scheme, Uri};

/// A value whose text does not follow its grammar; names the kind of value, never the peer's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

impl Message {
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    pub fn body(&self) -> &[u8] {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}
