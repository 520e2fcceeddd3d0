//! Tests of the store in memory: the contract, and its bounds.

use super::MemoryStore;
use crate::layers::messages::contract::contract;

contract!(MemoryStore::default);
