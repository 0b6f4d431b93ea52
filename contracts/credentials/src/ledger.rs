//! What a verification reads of the ledger: the same function over a node's state, to gather the proof, and over proven state.
