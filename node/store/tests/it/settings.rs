//! The database's settings are those of the table in `src/db.rs`: read from the OPTIONS file of a real one, so that what a
//! new release of RocksDB would change, or a forgotten line would inherit, shows here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use testamur_store::testing::{TestNetwork, columns};

/// Sections of the newest OPTIONS file: name → setting → value.
fn settings(data: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let listed = fs::read_dir(data.join("db")).expect("a database").map(|entry| entry.expect("an entry").path());
    let newest = listed.filter(|path| path.to_string_lossy().contains("OPTIONS-")).max().expect("an OPTIONS file");
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = String::new();
    for line in fs::read_to_string(newest).expect("text").lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if let Some((name, value)) = line.split_once('=') {
            sections.entry(section.clone()).or_default().insert(name.into(), value.into());
        }
    }
    sections
}

#[test]
fn the_database_runs_with_the_settings_that_were_decided() {
    let folder = tempfile::tempdir().expect("a directory");
    let network = TestNetwork::new();
    let ledger = network.open(folder.path(), 0).expect("open");
    network.grow(&ledger, 2, 1);
    drop(ledger);
    let settings = settings(folder.path());
    let is = |section: &str, name: &str, value: &str| {
        let found = settings.get(section).and_then(|section| section.get(name));
        assert_eq!(found.map(String::as_str), Some(value), "{name} in [{section}]");
    };
    for (name, value) in [
        ("paranoid_checks", "true"),
        ("wal_recovery_mode", "kAbsoluteConsistency"),
        ("track_and_verify_wals_in_manifest", "true"),
        ("best_efforts_recovery", "false"),
        ("recycle_log_file_num", "0"),
        ("manual_wal_flush", "false"),
        ("unordered_write", "false"),
        ("enable_pipelined_write", "false"),
        ("two_write_queues", "false"),
        ("allow_mmap_reads", "false"),
        ("allow_mmap_writes", "false"),
        ("use_fsync", "false"),
        ("verify_sst_unique_id_in_manifest", "true"),
        ("flush_verify_memtable_count", "true"),
        ("compaction_verify_record_count", "true"),
        ("allow_data_in_errors", "false"),
        ("max_total_wal_size", "67108864"),
        ("db_write_buffer_size", "50331648"),
        ("max_open_files", "256"),
        ("max_manifest_file_size", "1073741824"),
    ] {
        is("DBOptions", name, value);
    }
    for column in columns() {
        is(&format!("CFOptions \"{column}\""), "force_consistency_checks", "true");
        let table = format!("TableOptions/BlockBasedTable \"{column}\"");
        for (name, value) in [
            ("checksum", "kXXH3"),
            ("index_type", "kTwoLevelIndexSearch"),
            ("partition_filters", "true"),
            ("metadata_block_size", "4096"),
            ("cache_index_and_filter_blocks", "true"),
            ("pin_top_level_index_and_filter", "true"),
        ] {
            is(&table, name, value);
        }
    }
}
