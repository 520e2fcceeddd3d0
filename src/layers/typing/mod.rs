//! Who is typing, and who has stopped.
