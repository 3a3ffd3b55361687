use super::{Headers, Method, Uri, write};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::default(), body: Vec::new() }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        write::message(&format!("{} {} SIP/2.0", self.method, self.uri), &self.headers, &self.body)
    }
}
