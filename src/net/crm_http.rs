//! The CRM over HTTP: a recording as a form that is streamed from its file, call data as JSON. Says what came back and
//! not what it means.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::redirect::Policy;
use reqwest::{Body, Certificate, Client, RequestBuilder};
use serde_json::Value;

use super::answers::{Asked, answer, chain};
use crate::clock;
use crate::crm::Answer;
use crate::domain::Secret;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const THE_CRM: Asked = Asked {
    whom: "the CRM",
    trust: "set crm.ca_file to a PEM file with that authority's certificate, or with the CRM's own if it is self-signed",
};

/// Where the CRM is and how long it is waited for.
#[derive(Debug, Clone)]
pub struct CrmSettings {
    /// Without a slash at its end.
    pub base_url: String,
    pub token: Option<Secret>,
    pub upload_path: String,
    pub call_data_path: String,
    /// The form's field that holds the recording.
    pub file_field: String,
    pub connect_limit: Duration,
    pub answer_limit: Duration,
    /// For a recording, which may be long.
    pub upload_limit: Duration,
    /// Whom a CRM's certificate must be signed by; `None`: whom the system trusts.
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum CrmClientError {
    #[error("crm.ca_file: {path} cannot be used: {detail}; name a file of PEM certificates", path = path.display())]
    CaFile { path: PathBuf, detail: String },
    #[error("crm.api_token: has characters that no header can carry; set it to the token alone")]
    Token,
    #[error(
        "crm.base_url: no connection with TLS can be made: {0}; install the system's CA certificates (the package \
         ca-certificates), or set crm.ca_file"
    )]
    Tls(String),
}

/// A handle; clones share their connections.
#[derive(Clone)]
pub struct CrmClient {
    client: Client,
    authorization: Option<HeaderValue>,
    settings: CrmSettings,
}

impl CrmClient {
    pub fn new(settings: CrmSettings) -> Result<Self, CrmClientError> {
        super::install_tls_provider();
        let builder = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(clock::timer_for(settings.connect_limit))
            .user_agent(concat!("Clearline/", env!("CARGO_PKG_VERSION")));
        let builder = match &settings.ca_file {
            Some(path) => builder.tls_certs_only(certificates(path)?),
            None if settings.base_url.to_ascii_lowercase().starts_with("https://") => builder,
            None => builder.tls_certs_only([]),
        };
        let client = builder.build().map_err(|error| CrmClientError::Tls(chain(&error)))?;
        let authorization = settings.token.as_ref().map(authorization).transpose()?;
        Ok(Self { client, authorization, settings })
    }

    /// The file goes out as it is read; it is never in memory as a whole.
    pub async fn send_recording(&self, key: &str, file: &Path) -> Answer {
        let form = match self.form(file).await {
            Ok(form) => form,
            Err(error) => {
                return Answer::Unsendable(format!(
                    "the recording {} cannot be read: {error}",
                    file.display()
                ));
            }
        };
        let request = self.request(&self.settings.upload_path, key, self.settings.upload_limit);
        answer(request.multipart(form), self.settings.upload_limit, THE_CRM).await
    }

    pub async fn send_call_data(&self, key: &str, body: &Value) -> Answer {
        let request = self.request(&self.settings.call_data_path, key, self.settings.answer_limit);
        answer(request.json(body), self.settings.answer_limit, THE_CRM).await
    }

    async fn form(&self, path: &Path) -> io::Result<Form> {
        let file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let part = Part::stream_with_length(Body::from(file), length).file_name(name);
        let part = part.mime_str(content_type(path)).map_err(io::Error::other)?;
        Ok(Form::new().part(self.settings.file_field.clone(), part))
    }

    fn request(&self, path: &str, key: &str, limit: Duration) -> RequestBuilder {
        let url = format!("{}{path}", self.settings.base_url);
        let request = self.client.post(url).timeout(clock::timer_for(limit)).header(IDEMPOTENCY_KEY, key);
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, CrmClientError> {
    let failed = |detail: String| CrmClientError::CaFile { path: path.to_owned(), detail };
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| failed(chain(&error)))?;
    if found.is_empty() {
        return Err(failed("it has no certificate".into()));
    }
    Ok(found)
}

fn authorization(token: &Secret) -> Result<HeaderValue, CrmClientError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
    let mut value = value.map_err(|_| CrmClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("ogg" | "opus") => "audio/ogg",
        Some("wav") => "audio/wav",
        _ => "application/octet-stream",
    }
}
