//! How fast racks are parsed, beside what the parser cannot do without: inflating, and cutting XML into tags. `--quick` for fewer passes.
//!
//! All four are measured on the same files in the same run, in turns, in processor time; the best pass counts. The files are the racks and
//! device presets of the folder `RACK_CORPUS`, and one built rack of about 47 MB, the size of the largest genuine rack known.
#![expect(clippy::print_stdout, reason = "a table is what this program is for")]

use std::error::Error;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::bufread::GzDecoder;
use ingest::builder::{Chain, Device, Format, Macro, Rack};
use ingest::rack::Kind;
use ingest::{Limits, parse};
use quick_xml::Reader;
use quick_xml::events::Event;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is measured.
const MODES: [&str; 4] = ["inflate", "inflate + bare event loop", "inflate + loop + `Value`", "parse"];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, mode, file] = arguments.as_slice()
        && flag == "--memory-of"
    {
        return report_memory(mode, Path::new(file));
    }
    let passes = if arguments.iter().any(|argument| argument == "--quick") {
        3
    } else {
        10
    };
    let limits = Limits::from(&config::Settings::defaults()?.parser);
    let files = corpus_files(&limits)?;
    let large = large_rack()?;
    if files.is_empty() {
        println!("corpus absent: only the built rack is measured");
    } else {
        measure("racks and presets of the corpus", &files, &limits, passes)?;
    }
    measure("one built rack", std::slice::from_ref(&large), &limits, passes)?;

    println!("extra memory at its highest, beyond the compressed file:");
    let folder = tempfile::tempdir()?;
    let by_size = files.iter().max_by_key(|bytes| xml_bytes(bytes).unwrap_or(0));
    for (what, bytes) in by_size
        .map(|bytes| ("largest of the corpus", bytes))
        .into_iter()
        .chain([("built rack", &large)])
    {
        let file = folder.path().join("rack.adg");
        std::fs::write(&file, bytes)?;
        for mode in MODES {
            // A process of its own for each, since memory once used stays with a process.
            let child = Command::new(std::env::current_exe()?)
                .arg("--memory-of")
                .arg(mode)
                .arg(&file)
                .output()?;
            print!(
                "  {what}, {:.1} MB of XML, {mode}: {}",
                megabytes(xml_bytes(bytes)?),
                String::from_utf8_lossy(&child.stdout)
            );
        }
    }
    Ok(())
}

/// Measures all modes on some files, interleaved, and prints a table.
fn measure(what: &str, files: &[Vec<u8>], limits: &Limits, passes: u32) -> Outcome<()> {
    let mut total = 0;
    for file in files {
        total += xml_bytes(file)?;
    }
    println!(
        "{what}: {} files, {:.1} MB of XML, processor time, best of {passes} passes",
        files.len(),
        megabytes(total)
    );
    let mut best = [Duration::MAX; MODES.len()];
    for _ in 0..passes {
        for (mode, best) in MODES.iter().zip(&mut best) {
            let begun = processor_time()?;
            for file in files {
                run(mode, file, limits)?;
            }
            *best = (*best).min(processor_time()?.saturating_sub(begun));
        }
    }
    let [_, bare, with_value, _] = best;
    println!("  {:<28} {:>9} {:>14} {:>14}", "", "MB/s", "of bare loop", "of `Value` loop");
    for (mode, time) in MODES.iter().zip(best) {
        println!(
            "  {mode:<28} {:>9.0} {:>14.2} {:>14.2}",
            megabytes(total) / time.as_secs_f64(),
            bare.as_secs_f64() / time.as_secs_f64(),
            with_value.as_secs_f64() / time.as_secs_f64(),
        );
    }
    println!();
    Ok(())
}

/// Does one thing with one file; the number keeps the compiler from leaving it out.
fn run(mode: &str, file: &[u8], limits: &Limits) -> Outcome<u64> {
    let is_packed = file.starts_with(b"\x1f\x8b");
    let mut packed = GzDecoder::new(file);
    let mut plain = file;
    let source: &mut dyn Read = if is_packed { &mut packed } else { &mut plain };
    if mode == MODES[0] {
        let mut buffer = vec![0; 128 * 1024];
        let mut bytes = 0;
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok(bytes),
                count => bytes += count as u64,
            }
        }
    }
    if mode == MODES[3] {
        return Ok(u64::from(parse(file, limits)?.rack.totals.devices));
    }
    let look_up = mode == MODES[2];
    let mut reader = Reader::from_reader(BufReader::with_capacity(128 * 1024, source));
    let mut buffer = Vec::new();
    let mut events = 0;
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer)? {
            Event::Eof => return Ok(events),
            Event::Start(tag) | Event::Empty(tag) if look_up => {
                events += 1;
                events += tag.try_get_attribute("Value")?.map_or(0, |value| value.value.len() as u64);
            }
            _ => events += 1,
        }
    }
}

/// What a child process prints about itself.
fn report_memory(mode: &str, file: &Path) -> Outcome<()> {
    let bytes = std::fs::read(file)?;
    let limits = Limits::from(&config::Settings::defaults()?.parser);
    let before = highest_memory()?;
    run(mode, &bytes, &limits)?;
    let extra = highest_memory()?.saturating_sub(before);
    writeln!(std::io::stdout(), "{:.1} MB", extra as f64 / 1024.0)?;
    Ok(())
}

/// The time that this process, which has one thread, has spent on a processor, as Linux counts it. What else the machine does matters less so.
fn processor_time() -> Outcome<Duration> {
    let counts = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = counts.split_whitespace().next().ok_or("no time in /proc/self/schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// The most memory that this process has held, in kilobytes, as Linux counts it.
fn highest_memory() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Racks and device presets of the corpus: those files that parse.
fn corpus_files(limits: &Limits) -> Outcome<Vec<Vec<u8>>> {
    let folder = std::env::var_os("RACK_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/racks"),
        PathBuf::from,
    );
    let Ok(index) = std::fs::read_to_string(folder.join("index.tsv")) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for name in index.lines().skip(1).filter_map(|line| line.split('\t').next()) {
        let bytes = std::fs::read(folder.join(name))?;
        if parse(&bytes, limits).is_ok() {
            files.push(bytes);
        }
    }
    Ok(files)
}

/// A rack of about 47 MB of XML: 1,900 chains with a device each, some of whose parameters are mapped.
fn large_rack() -> Outcome<Vec<u8>> {
    let chain = |number: usize| {
        let device = (0..42).fold(Device::new("MidiChord"), |device, place| {
            let path = format!("Voice.{place}/Shift");
            if place < 6 {
                device.mapped(&path, u8::try_from(number % 16).unwrap_or(0), -36.0, 36.0)
            } else {
                device.parameter(&path, 7.0)
            }
        });
        Chain::new().name(&format!("Chord {number}")).device(device)
    };
    let rack = Rack::new(Kind::MidiEffect).macro_control(Macro::new("Voicing"));
    let rack = (0..1900).fold(rack, |rack, number| rack.chain(chain(number)));
    Ok(rack.to_adg(&Format::LIVE_11))
}

fn xml_bytes(file: &[u8]) -> Outcome<u64> {
    run(MODES[0], file, &Limits::from(&config::Settings::defaults()?.parser))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
