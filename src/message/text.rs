//! The payload of a text message.

use std::borrow::Cow;
use std::str;

use bytes::Bytes;

/// Text that becomes the payload of a [`Message`](crate::Message) without a copy.
///
/// Created from a `&'static str`, a `String`, a `Box<str>` or a `Cow<'static, str>`; from [`Bytes`]
/// by `TryFrom`, which checks them. Text that is borrowed for a shorter time has to be copied by
/// the caller: `Message::text(text.to_owned())`.
///
/// ```
/// use throng::{Message, Text};
///
/// let text = Text::try_from(bytes::Bytes::from_static(b"checked"))?;
/// assert_eq!(Message::text(text), Message::text("checked"));
/// # Ok::<(), std::str::Utf8Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(Bytes);

impl Text {
    pub(super) fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        Self::from(String::from(text))
    }
}

impl From<Cow<'static, str>> for Text {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl TryFrom<Bytes> for Text {
    type Error = str::Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, str::Utf8Error> {
        str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }
}
