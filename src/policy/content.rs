//! Schemas and filters together, as the entrance asks them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use serde_json::value::RawValue;

use crate::code::ErrorCode;
use crate::protocol::Fault;
use crate::session::CallerInfo;
use crate::session::Draft;
use crate::session::content::FilterView;
use crate::session::content::Moderator;
use crate::session::content::SchemaView;

#[cfg(feature = "filter")]
use super::filter::FilterConfig;
use super::filter::FilterInfo;
use super::filter::Filters;
#[cfg(feature = "schema")]
use super::validate::SchemaConfig;
#[cfg(feature = "schema")]
use super::validate::SchemaInfo;
#[cfg(feature = "schema")]
use super::validate::Schemas;

/// The schemas and the filters of a gateway.
#[derive(Debug)]
pub(crate) struct Moderation {
    pub(crate) filters: Filters,
    #[cfg(feature = "schema")]
    pub(crate) schemas: Schemas,
    active: Arc<Active>,
}

/// Whether there is any schema or filter.
#[derive(Default)]
pub(super) struct Active {
    filters: AtomicBool,
    #[cfg(feature = "schema")]
    schemas: AtomicBool,
    notify: Mutex<Option<Notify>>,
}

type Notify = Box<dyn Fn(bool) + Send + Sync>;

impl Active {
    pub(super) fn filters(&self, are_any: bool) {
        // Relaxed: whoever needs it is notified.
        self.filters.store(are_any, Ordering::Relaxed);
        self.notify();
    }

    #[cfg(feature = "schema")]
    pub(super) fn schemas(&self, are_any: bool) {
        // Relaxed: as in `filters`.
        self.schemas.store(are_any, Ordering::Relaxed);
        self.notify();
    }

    fn are_any(&self) -> bool {
        // Relaxed: as in `filters`.
        #[cfg(feature = "schema")]
        let schemas = self.schemas.load(Ordering::Relaxed);
        #[cfg(not(feature = "schema"))]
        let schemas = false;
        // Relaxed: as in `filters`.
        self.filters.load(Ordering::Relaxed) || schemas
    }

    fn notify(&self) {
        let notify = self.notify.lock();
        if let Some(notify) = &*notify {
            notify(self.are_any());
        }
    }
}

impl Moderation {
    pub(crate) fn new() -> Self {
        let active = Arc::<Active>::default();
        Self {
            filters: Filters::new(Arc::clone(&active)),
            #[cfg(feature = "schema")]
            schemas: Schemas::new(Arc::clone(&active)),
            active,
        }
    }
}

impl Moderator for Moderation {
    fn check(&self, who: &CallerInfo, draft: &mut Draft) -> Result<(), Fault> {
        #[cfg(feature = "schema")]
        self.schemas.check(draft)?;
        self.filters.check(who, draft)
    }

    fn activity(&self, notify: Notify) {
        notify(self.active.are_any());
        *self.active.notify.lock() = Some(notify);
    }

    fn filters(&self) -> Vec<FilterView> {
        let view = |info: FilterInfo| FilterView {
            name: info.name.into(),
            kind: info.kind.to_owned(),
            priority: info.priority,
            checked: info.checked,
            blocked: info.blocked,
            changed: info.changed,
            flagged: info.flagged,
        };
        self.filters.list().into_iter().map(view).collect()
    }

    #[cfg(feature = "filter")]
    fn add_filter(&self, filter: &RawValue) -> Result<(), Fault> {
        let config: FilterConfig = read(filter, "filter")?;
        let built = config.build();
        self.filters.add(built.map_err(|error| {
            Fault::new(ErrorCode::InvalidField, error.to_string()).field("filter")
        })?);
        Ok(())
    }

    #[cfg(not(feature = "filter"))]
    fn add_filter(&self, _: &RawValue) -> Result<(), Fault> {
        Err(left_out("built-in filters"))
    }

    fn remove_filter(&self, name: &str) -> bool {
        self.filters.remove(name)
    }

    #[cfg(feature = "schema")]
    fn schemas(&self) -> Vec<SchemaView> {
        let view = |info: SchemaInfo| SchemaView {
            name: info.name.into(),
            channels: info.scope.patterns(),
            categories: info.scope.categories(),
            events: info.scope.events(),
            checked: info.checked,
            refused: info.refused,
        };
        self.schemas.list().into_iter().map(view).collect()
    }

    #[cfg(not(feature = "schema"))]
    fn schemas(&self) -> Vec<SchemaView> {
        Vec::new()
    }

    #[cfg(feature = "schema")]
    fn add_schema(&self, schema: &RawValue) -> Result<(), Fault> {
        let config: SchemaConfig = read(schema, "schema")?;
        let built = config.build();
        self.schemas.add(built.map_err(|error| {
            Fault::new(ErrorCode::InvalidField, error.to_string()).field("schema")
        })?);
        Ok(())
    }

    #[cfg(not(feature = "schema"))]
    fn add_schema(&self, _: &RawValue) -> Result<(), Fault> {
        Err(left_out("schemas"))
    }

    #[cfg(feature = "schema")]
    fn remove_schema(&self, name: &str) -> bool {
        self.schemas.remove(name)
    }

    #[cfg(not(feature = "schema"))]
    fn remove_schema(&self, _: &str) -> bool {
        false
    }
}

/// Reads what an operation was given.
#[cfg(any(feature = "filter", feature = "schema"))]
fn read<T: serde::de::DeserializeOwned>(json: &RawValue, field: &'static str) -> Result<T, Fault> {
    serde_json::from_str(json.get()).map_err(|error| {
        let why = format!("`{field}` cannot be understood: {error}");
        Fault::new(ErrorCode::InvalidField, why).field(field)
    })
}

/// The fault of something that this program was built without.
#[cfg(not(all(feature = "filter", feature = "schema")))]
fn left_out(what: &str) -> Fault {
    let why = format!("this server was built without {what}");
    Fault::new(ErrorCode::FeatureDisabled, why)
}

impl fmt::Debug for Active {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Active").field(&self.are_any()).finish()
    }
}
