//! Rooms: members with roles, and what they may do.
