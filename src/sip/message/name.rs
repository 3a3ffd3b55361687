use std::fmt;

macro_rules! header_names {
    ($($variant:ident => $text:literal $(, $compact:literal)?;)*) => {
        /// A header's name; compared without regard to case, and the compact forms are the same names.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum HeaderName {
            $($variant,)*
            /// Build it with [`HeaderName::from_token`], which keeps it in lower case so that names compare.
            Other(String),
        }

        impl HeaderName {
            pub fn from_token(token: &str) -> Self {
                $(if token.eq_ignore_ascii_case($text) $(|| token.eq_ignore_ascii_case($compact))? {
                    return Self::$variant;
                })*
                Self::Other(token.to_ascii_lowercase())
            }

            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(name) => name,
                }
            }
        }
    };
}

header_names! {
    Via => "Via", "v";
    From => "From", "f";
    To => "To", "t";
    CallId => "Call-ID", "i";
    CSeq => "CSeq";
    Contact => "Contact", "m";
    MaxForwards => "Max-Forwards";
    Route => "Route";
    RecordRoute => "Record-Route";
    ContentType => "Content-Type", "c";
    ContentLength => "Content-Length", "l";
    ContentEncoding => "Content-Encoding", "e";
    ContentDisposition => "Content-Disposition";
    ContentLanguage => "Content-Language";
    Expires => "Expires";
    MinExpires => "Min-Expires";
    Allow => "Allow";
    Supported => "Supported", "k";
    Require => "Require";
    ProxyRequire => "Proxy-Require";
    Unsupported => "Unsupported";
    Accept => "Accept";
    AcceptEncoding => "Accept-Encoding";
    AcceptLanguage => "Accept-Language";
    Authorization => "Authorization";
    ProxyAuthorization => "Proxy-Authorization";
    WwwAuthenticate => "WWW-Authenticate";
    ProxyAuthenticate => "Proxy-Authenticate";
    AuthenticationInfo => "Authentication-Info";
    SessionExpires => "Session-Expires", "x";
    MinSe => "Min-SE";
    RSeq => "RSeq";
    RAck => "RAck";
    ReferTo => "Refer-To", "r";
    ReferredBy => "Referred-By", "b";
    Replaces => "Replaces";
    Event => "Event", "o";
    AllowEvents => "Allow-Events", "u";
    SubscriptionState => "Subscription-State";
    Subject => "Subject", "s";
    UserAgent => "User-Agent";
    Server => "Server";
    Reason => "Reason";
    RetryAfter => "Retry-After";
    Timestamp => "Timestamp";
    Date => "Date";
    Warning => "Warning";
    Path => "Path";
    ServiceRoute => "Service-Route";
    PAssertedIdentity => "P-Asserted-Identity";
    PPreferredIdentity => "P-Preferred-Identity";
    Privacy => "Privacy";
    Diversion => "Diversion";
    HistoryInfo => "History-Info";
    CallInfo => "Call-Info";
    AlertInfo => "Alert-Info";
    ErrorInfo => "Error-Info";
    InReplyTo => "In-Reply-To";
}

impl HeaderName {
    /// Whether a comma separates entries. Credentials, dates and unknown headers use commas for other things.
    pub fn is_list(&self) -> bool {
        matches!(
            self,
            Self::Via
                | Self::Contact
                | Self::Route
                | Self::RecordRoute
                | Self::ContentEncoding
                | Self::ContentLanguage
                | Self::Allow
                | Self::Supported
                | Self::Require
                | Self::ProxyRequire
                | Self::Unsupported
                | Self::Accept
                | Self::AcceptEncoding
                | Self::AcceptLanguage
                | Self::AllowEvents
                | Self::Reason
                | Self::Warning
                | Self::Path
                | Self::ServiceRoute
                | Self::PAssertedIdentity
                | Self::PPreferredIdentity
                | Self::Diversion
                | Self::HistoryInfo
                | Self::CallInfo
                | Self::AlertInfo
                | Self::ErrorInfo
                | Self::InReplyTo
        )
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
