//! `clearline sandbox crm`: the stand-in of the CRM.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::domain::Secret;
use crate::sandbox::crm::{CrmServer, CrmServerSettings, FaultRule, TlsFiles};

use super::super::CommandResult;
use super::super::common::{Failure, say};
use super::super::signals::Signals;

/// Takes recordings and call data as the CRM does, checks them strictly and lists what has arrived.
#[derive(Args)]
pub(super) struct Crm {
    /// Where to listen, for example 127.0.0.1:9091 (port 0 takes a free one)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9091")]
    listen: SocketAddr,
    /// Who has not this token is refused
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The form's field that holds the recording
    #[arg(long, value_name = "NAME", default_value = "file")]
    file_field: String,
    /// A PEM file; with it and --private-key, HTTPS is spoken
    #[arg(long, value_name = "FILE", requires = "private_key")]
    certificate: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "certificate")]
    private_key: Option<PathBuf>,
    /// What shall go wrong: `ENDPOINT:FAULT[*TIMES]`, as `upload:503*3`; endpoints are upload, call-data and both, faults a
    /// status from 300 to 599, nonsense, html (a page instead of JSON), no-success (`"success": false`), slow=MILLISECONDS,
    /// silent (never answers) and answer-lost (takes it and hangs up); without *TIMES each time. May be given several times
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<FaultRule>,
}

impl Crm {
    pub(super) fn run(self) -> CommandResult {
        actix::System::new().block_on(self.serve())
    }

    async fn serve(self) -> CommandResult {
        let mut signals = Signals::listen().map_err(|error| Failure::cannot("listen to signals", error))?;
        let tls = self.certificate.zip(self.private_key);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = CrmServer::start(CrmServerSettings {
            listen: self.listen,
            tls: tls.map(|(certificate, private_key)| TlsFiles { certificate, private_key }),
            token: self.token.map(Secret::new),
            file_field: self.file_field,
            faults: self.faults,
        });
        let server = server.map_err(|error| Failure::cannot("listen", error))?;
        let url = format!("{scheme}://{}", server.address);
        say(format_args!("listening on {}", server.address));
        say(format_args!("what has arrived is shown at {url}/received"));
        say(format_args!("point an engine at it with --set crm.base_url={url}"));
        signals.stop().await;
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}
