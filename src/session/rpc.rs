//! Commands of the application's own: a method with typed arguments and a typed answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ahash::HashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::value::to_raw_value;
use tokio::time;

use crate::code::ErrorCode;
use crate::protocol::Fault;
use crate::quiet::quietly;

use super::hooks::CallerInfo;
use super::hooks::Quietly;

/// The methods of a gateway.
pub(crate) struct Rpc {
    methods: HashMap<Box<str>, Method>,
    timeout: Duration,
}

/// Begins a call.
type Method = Arc<dyn Fn(CallerInfo, Option<&RawValue>) -> Result<Calling, Fault> + Send + Sync>;

/// A call under way.
type Calling = Pin<Box<dyn Future<Output = Result<Box<RawValue>, Fault>> + Send>>;

impl Rpc {
    /// Sets the time that a call may take.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Adds a method, or replaces the method of the same name.
    pub(crate) fn add<A, R, F, D>(&mut self, name: Box<str>, handler: F)
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(CallerInfo, A) -> D + Send + Sync + 'static,
        D: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        let method = move |who: CallerInfo, args: Option<&RawValue>| {
            let args = args.map_or("null", RawValue::get);
            let args = serde_json::from_str(args).map_err(|error| {
                let why = format!("`args` is not what the method takes: {error}");
                Fault::new(ErrorCode::InvalidField, why).field("args")
            })?;
            let answer = quietly(|| handler(who, args)).ok_or_else(failed)?;
            let calling: Calling =
                Box::pin(async move { to_raw_value(&answer.await?).map_err(|_| failed()) });
            Ok(calling)
        };
        self.methods.insert(name, Arc::new(method));
    }

    /// Begins a call.
    pub(crate) fn call(
        &self,
        method: &str,
        who: CallerInfo,
        args: Option<&RawValue>,
    ) -> Result<impl Future<Output = Result<Box<RawValue>, Fault>> + Send + 'static, Fault> {
        let method = self.methods.get(method).ok_or_else(|| {
            let why = "this server has no method of this name";
            Fault::new(ErrorCode::UnknownMethod, why).field("method")
        })?;
        let calling = method(who, args)?;
        let timeout = self.timeout;
        Ok(async move {
            match time::timeout(timeout, Quietly(calling)).await {
                Ok(answered) => answered.ok_or_else(failed)?,
                Err(_) => {
                    let why = "the method took too long; it may have been carried out in part";
                    Err(Fault::new(ErrorCode::HookTimeout, why))
                }
            }
        })
    }
}

impl Default for Rpc {
    fn default() -> Self {
        Self {
            methods: HashMap::default(),
            timeout: TIMEOUT,
        }
    }
}

/// The time that a call may take unless another is set.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The fault of a method that panicked.
fn failed() -> Fault {
    let why = "the method failed; it may have been carried out in part";
    Fault::new(ErrorCode::HookFailed, why)
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.methods.keys()).finish()
    }
}
