//! The log as C2SP tiles, for tools that prove from them.

use testamur_primitives::merkle::{MemoryTree, Nodes as _};
use tlog_tiles::{Error, Tile, TileReader};

use crate::harness::Network;

/// Tiles of a tree in memory, as a node serves them: height 8, full nodes only.
pub struct MemoryTiles<'a> {
    tree: &'a MemoryTree,
    size: u64,
}

impl<'a> MemoryTiles<'a> {
    /// The tiles of the first `size` leaves.
    pub fn new(tree: &'a MemoryTree, size: u64) -> Self {
        Self { tree, size }
    }
}

impl TileReader for MemoryTiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        tiles
            .iter()
            .map(|tile| read(tile, |level, index| self.tree.node(level, index).ok()).ok_or(Error::InvalidTile))
            .collect()
    }

    fn save_tiles(&self, tiles: &[Tile], _data: &[Vec<u8>]) {
        // Only tiles that lie in the tree are ever asked for.
        assert!(tiles.iter().all(|tile| (tile.level_index() << 8) << (8 * tile.level()) < self.size));
    }
}

fn read(tile: &Tile, node: impl Fn(u8, u64) -> Option<testamur_primitives::hash::TreeHash>) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    for place in 0..u64::from(tile.width()) {
        data.extend_from_slice(node(8 * tile.level(), (tile.level_index() << 8) + place)?.as_bytes());
    }
    Some(data)
}

/// Tiles of a running node, over HTTP. `tlog_tiles` names them in the older scheme with the height in front.
pub struct ServedTiles<'a> {
    network: &'a Network,
    node: usize,
}

impl<'a> ServedTiles<'a> {
    /// The tiles that a node serves.
    pub fn new(network: &'a Network, node: usize) -> Self {
        Self { network, node }
    }
}

impl TileReader for ServedTiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            let path = tile.path().replacen("tile/8/", "/log/tile/", 1);
            let answer = self.network.get(self.node, &path).filter(|answer| answer.status == 200);
            answer.map(|answer| answer.body).ok_or(Error::InvalidTile)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}
