//! Subscription tokens: leave to subscribe to one channel.

use crate::layers::Timestamp;
use crate::layers::UserId;

use super::Refusal;
use super::jwt::Jwt;

/// Checks the tokens that let one user subscribe to one channel.
///
/// Such a token is signed with the same keys as those of connections, and checked for the same
/// times, audience and issuer. Its claim `channel` names the channel and `sub` the user; for an
/// anonymous connection `sub` is absent. Neither kind of token passes for the other.
///
/// ```
/// use serde_json::json;
/// use throng::UserId;
/// use throng::policy::SubscriptionTokens;
/// use throng::policy::jwt::{Algorithm, Jwt, SigningKey};
///
/// let key = SigningKey::secret(Algorithm::Hs256, b"at least thirty-two bytes of secret")?;
/// let tokens = SubscriptionTokens::new(Jwt::keys(key.verifying_key()?));
/// let claims = json!({"sub": "ada", "channel": "private-a", "exp": 4_102_444_800_u64});
/// let token = key.sign(&claims)?;
/// let ada = UserId::parse("ada")?;
/// assert!(tokens.check(&token, Some(&ada), "private-a").is_ok());
/// assert!(tokens.check(&token, Some(&ada), "private-b").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SubscriptionTokens {
    jwt: Jwt,
}

impl SubscriptionTokens {
    /// Creates a check with the keys and the demands of `jwt`.
    #[must_use]
    pub const fn new(jwt: Jwt) -> Self {
        Self { jwt }
    }

    /// Checks a token that `user` shows to subscribe to `channel`, and returns when the
    /// subscription ends.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with the reason: the token is invalid, has expired, or is for another user or
    /// channel.
    pub fn check(
        &self,
        token: &str,
        user: Option<&UserId>,
        channel: &str,
    ) -> Result<Option<Timestamp>, Refusal> {
        self.jwt.check_subscription(token, user, channel)
    }
}
