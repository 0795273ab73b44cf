//! The parser against real files, and what an independent reader found in them (`index.tsv`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use std::io::Read;

use ingest::rack::{ParsedRack, Plugin};
use ingest::{parse, sniff};

use crate::support::limits;

/// One line of the index: column name to value.
type Row = BTreeMap<String, String>;

/// The folder of real files, or `None` where there is none; in CI its absence fails.
#[expect(clippy::print_stdout, reason = "a test says when it read nothing")]
fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("RACK_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/racks"),
        PathBuf::from,
    );
    if folder.join("index.tsv").is_file() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "corpus absent: RACK_CORPUS names no folder with an index.tsv"
    );
    println!("corpus absent");
    None
}

fn rows(folder: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("index.tsv")).expect("index.tsv is read");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split('\t').collect();
    lines
        .map(|line| {
            header
                .iter()
                .zip(line.split('\t'))
                .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
                .collect()
        })
        .collect()
}

/// Devices by element, nested racks included, as the index writes them.
fn elements(rack: &ParsedRack) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for device in &rack.devices {
        *counts.entry(device.element.clone()).or_default() += 1;
    }
    for nested in rack.racks.iter().skip(1) {
        *counts.entry(nested.kind.element().to_owned()).or_default() += 1;
    }
    counts
}

/// Where the index gives no name and the parser does, rightly: Steinberg's rule puts the identifier of the VST 2 plug-in (`shmr`) into the
/// class id of its VST 3 successor, and the name of the former is known.
const VST3_OF_KNOWN_VST2: &[(&str, &str)] = &[("DoubletPad.adg", "VST3:56535473686d7276616c68616c6c6173 =ValhallaShimmer")];

/// A plug-in as the index writes it.
fn shown_plugin(plugin: &Plugin) -> String {
    let format = plugin.format.as_str().to_uppercase();
    let code = plugin.four_cc.as_ref().map_or_else(String::new, |code| format!("[{code}]"));
    let name = plugin.name.as_ref().map_or_else(String::new, |name| format!(" ={name}"));
    format!("{format}:{}{code}{name}", plugin.id)
}

fn check(row: &Row, rack: &ParsedRack, wrong: &mut Vec<String>) {
    let file = &row["file"];
    let mut same = |column: &str, found: String| {
        if row[column] != found {
            wrong.push(format!(
                "{file}: {column} is {:?} in the index and {found:?} here",
                row[column]
            ));
        }
    };
    let totals = rack.totals;
    let creator = rack.live.creator.clone().unwrap_or_default();
    same("creator", creator);
    same(
        "live_major",
        rack.live
            .version
            .map_or_else(String::new, |version| version.major.to_string()),
    );
    same("devices_total", totals.devices.to_string());
    same("macro_mappings", totals.mappings.to_string());
    same("sample_refs", totals.samples.to_string());
    if let Some(outermost) = rack.outermost() {
        let returns = rack.chains.iter().filter(|chain| chain.rack == 0 && chain.is_return).count();
        same("all_branches", totals.chains.to_string());
        same("return_branches", returns.to_string());
        same("top_branches", totals.top_chains.to_string());
        same("racks_in_file", totals.racks.to_string());
        same("max_rack_depth", totals.depth.to_string());
        same("kind", format!("{}_rack", rack.kind.as_str()));
        same("macros_slots", outermost.macro_slots.to_string());
        same("rack_user_name", outermost.name.clone());
        same("annotation_len", outermost.annotation.chars().count().to_string());
        same("variations", totals.variations.to_string());
        if !row["macros_visible"].is_empty() {
            same("macros_visible", outermost.macros_visible.to_string());
        }
        let named: Vec<&str> = outermost
            .macros
            .iter()
            .filter(|found| found.named)
            .map(|found| found.name.as_str())
            .collect();
        same("macros_named", named.len().to_string());
        same("macro_names", named.join(" | "));
    }
    let plugins: Vec<String> = rack
        .devices
        .iter()
        .filter_map(|device| device.plugin.as_ref().map(shown_plugin))
        .collect();
    // The index repeats the name that the browser's id gives.
    let listed: Vec<&str> = row["plugins"]
        .split(" | ")
        .map(|plugin| plugin.split(" branchDeviceId").next().unwrap_or(plugin))
        .collect();
    let known_better = VST3_OF_KNOWN_VST2
        .iter()
        .any(|(name, plugin)| file.ends_with(name) && plugins == [*plugin]);
    if plugins.join(" | ") != listed.join(" | ") && !known_better {
        wrong.push(format!("{file}: plugins are {listed:?} in the index and {plugins:?} here"));
    }
    let max_files: Vec<&str> = rack
        .devices
        .iter()
        .filter_map(|device| device.max_device.as_ref().map(|max| max.file.as_str()))
        .collect();
    if max_files.join(" | ") != row["m4l"] {
        wrong.push(format!("{file}: m4l is {:?} in the index and {max_files:?} here", row["m4l"]));
    }
    let mut counts: Vec<(String, u32)> = elements(rack).into_iter().collect();
    counts.sort();
    let mut expected: Vec<(String, u32)> = row["devices"]
        .split(", ")
        .filter(|entry| !entry.is_empty())
        .filter_map(|entry| {
            entry
                .rsplit_once('x')
                .and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
        })
        .collect();
    expected.sort();
    if counts != expected {
        wrong.push(format!("{file}: devices are {expected:?} in the index and {counts:?} here"));
    }
}

#[test]
fn every_rack_and_preset_says_what_an_independent_reader_found() {
    let Some(folder) = corpus() else { return };
    let limits = limits();
    let mut wrong = Vec::new();
    let (mut read, mut refused) = (0, 0);
    for row in rows(&folder) {
        let bytes = std::fs::read(folder.join(&row["file"])).expect("a file of the corpus");
        let expected = match row["kind"].as_str() {
            "live_set" => Some("live_set"),
            "clip" => Some("live_clip"),
            "" => Some("empty_file"),
            kind if kind.starts_with("other") => Some("tool_made"),
            kind if kind.starts_with("template") => Some("template"),
            _ => None,
        };
        let sniffed = sniff(&bytes);
        match (parse(&bytes, &limits), expected) {
            (Ok(parsed), None) => {
                read += 1;
                check(&row, &parsed.rack, &mut wrong);
                if sniffed.is_err() {
                    wrong.push(format!("{}: refused by its head: {sniffed:?}", row["file"]));
                }
            }
            (Err(error), Some(code)) => {
                refused += 1;
                if error.code() != code {
                    wrong.push(format!("{}: expected {code}, got {}", row["file"], error.code()));
                }
            }
            (Ok(_), Some(code)) => wrong.push(format!("{}: expected {code}, got a rack", row["file"])),
            (Err(error), None) => wrong.push(format!("{}: {}: {error}", row["file"], error.code())),
        }
    }
    println!("{read} racks and presets read, {refused} other files refused");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(read > 0 && refused > 0);
}

/// The names of folders that hold people's folders.
const HOMES: [&str; 4] = ["/Users/", "\\Users\\", "/home/", "Users:"];

#[test]
fn no_account_name_or_folder_leaves_the_parser() {
    let Some(folder) = corpus() else { return };
    let limits = limits();
    let (mut files, mut accounts_seen) = (0, 0);
    for row in rows(&folder) {
        let bytes = std::fs::read(folder.join(&row["file"])).expect("a file of the corpus");
        let Ok(parsed) = parse(&bytes, &limits) else { continue };
        files += 1;
        let mut xml = Vec::new();
        if flate2::bufread::GzDecoder::new(&bytes[..]).read_to_end(&mut xml).is_err() {
            xml.clone_from(&bytes);
        }
        let xml = String::from_utf8(xml).expect("UTF-8");
        let accounts: std::collections::BTreeSet<&str> = HOMES
            .iter()
            .flat_map(|home| xml.split(home).skip(1))
            .map(|rest| rest.split(['/', '\\', '"', ':']).next().unwrap_or_default())
            .filter(|account| !account.is_empty() && *account != "Shared" && *account != "Public")
            .collect();
        accounts_seen += accounts.len();
        let said = serde_json::to_string(&(
            &parsed.rack,
            parsed.rack.summary(),
            parsed.rack.requirements(),
            &parsed.warnings,
        ))
        .expect("JSON");
        for home in HOMES {
            assert!(!said.contains(home.replace('\\', "\\\\").as_str()), "{}: {home}", row["file"]);
        }
        for account in accounts {
            // Two letters are part of many words, and one producer published under the name of his account.
            if account.len() < 4 || row["file"].contains(account) {
                continue;
            }
            assert!(!said.contains(account), "{}: an account name", row["file"]);
        }
    }
    println!("{files} files read, {accounts_seen} account names in them");
    assert!(files > 0 && accounts_seen > 0);
}

#[test]
fn what_live_wrote_maps_every_macro_to_a_rack_that_has_it() {
    let Some(folder) = corpus() else { return };
    let limits = limits();
    let (mut racks, mut mappings) = (0, 0);
    for row in rows(&folder).iter().filter(|row| row["writer"] == "live") {
        let bytes = std::fs::read(folder.join(&row["file"])).expect("a file of the corpus");
        let Ok(parsed) = parse(&bytes, &limits) else { continue };
        racks += 1;
        for mapping in &parsed.rack.mappings {
            mappings += 1;
            let owner = mapping.rack.and_then(|rack| parsed.rack.racks.get(rack as usize));
            let slots = owner.map_or(0, |rack| rack.macro_slots);
            assert!(mapping.macro_index < slots, "{}: {mapping:?}", row["file"]);
        }
        assert!(parsed.warnings.is_empty(), "{}: {:?}", row["file"], parsed.warnings);
    }
    println!("{racks} files of Live read, {mappings} mappings in them");
    assert!(mappings > 0);
}
