//! Messages that are kept: what was said before a page was there.
