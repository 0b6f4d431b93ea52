//! The store from outside: one binary, since linking RocksDB costs more than running.

mod backup;
mod damage;
mod directories;
mod ledger;
mod members;
mod registries;
mod settings;
mod transfer;
