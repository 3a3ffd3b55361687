//! How what we post to others is signed, so that they can tell it from what somebody else posts to them: by the Standard
//! Webhooks specification, for which there are libraries in most languages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use super::Secret;

/// What a secret begins with; base64 follows.
const PREFIX: &str = "whsec_";
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Both sides have it. It is never printed: there is no `Debug`.
#[derive(Clone)]
pub struct SigningSecret(Zeroizing<Vec<u8>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "is no secret to sign with; write whsec_ and 24 to 64 random bytes in base64: echo \"whsec_$(openssl rand -base64 32)\""
)]
pub struct WrongSigningSecret;

impl SigningSecret {
    pub fn parse(secret: &Secret) -> Result<Self, WrongSigningSecret> {
        let text = secret.expose().trim().strip_prefix(PREFIX).ok_or(WrongSigningSecret)?;
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| WrongSigningSecret)?);
        if BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(WrongSigningSecret) }
    }

    /// One signature of the header `webhook-signature`; it may hold several, with blanks between them.
    pub fn sign(&self, id: &str, unix_seconds: u64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{unix_seconds}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SigningSecret, WrongSigningSecret> {
        SigningSecret::parse(&Secret::new(text))
    }

    #[test]
    fn i10_the_signature_is_that_of_the_published_example() {
        let secret =
            parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap_or_else(|error| panic!("{error}"));
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_others_could_not_use_or_guess_is_refused() {
        let of_bytes = |count: usize| format!("whsec_{}", STANDARD.encode(vec![7; count]));
        for wrong in
            ["", "whsec_", "whsec_???", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &of_bytes(23), &of_bytes(65)]
        {
            assert_eq!(parse(wrong).err(), Some(WrongSigningSecret), "{wrong}");
        }
        assert!(parse(&of_bytes(24)).is_ok() && parse(&of_bytes(64)).is_ok());
    }
}
