//! How well text is ranked, on a test collection: `RELEVANCE_DIR` names a folder with `documents.tsv` (id, title, text), `queries.tsv` (id,
//! text) and `qrels.tsv` (query, document, relevance; 0 is not relevant). Documents are inserted as workflows with title and description and
//! indexed by the everyday path, on the server that `COOKBOOK_TEST_DATABASE_URL` names. Beside ours: tantivy's own parser on title and text
//! in one field, with its default tokenizer and with English stems.
#![expect(clippy::print_stdout, reason = "its table is its result")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use indexer::{Index, Matching, SearchRequest, Understood};
use tantivy::collector::TopDocs;
use tantivy::query::QueryParser;
use tantivy::schema::{FAST, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{IndexWriter, doc};
use test_support::TestDb;

/// Hits of a query that are looked at for the mean average precision.
const DEPTH: usize = 1000;

/// Hits that count for nDCG.
const TOP: usize = 10;

/// Workflows of one INSERT.
const INSERT: usize = 200;

/// A test collection. Documents are known by their number, from 1.
struct Collection {
    documents: Vec<(String, String)>,
    queries: Vec<(String, HashSet<u64>)>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Some(folder) = std::env::var_os("RELEVANCE_DIR") else {
        println!("relevance: RELEVANCE_DIR names no test collection");
        return Ok(());
    };
    let collection = Collection::read(Path::new(&folder))?;
    println!(
        "relevance: {} documents, {} queries",
        collection.documents.len(),
        collection.queries.len()
    );
    println!("{:<32}{:>10}{:>10}", "", "nDCG@10", "MAP");
    print("tantivy, default", &collection, tantivys(&collection, "default")?);
    print("tantivy, English stems", &collection, tantivys(&collection, "en_stem")?);
    let index = Ours::build(&collection).await?;
    for (matching, name) in [
        (Matching::Most, "ours"),
        (Matching::All, "ours, all of up to four words"),
        (Matching::Any, "ours, any word"),
    ] {
        print(name, &collection, index.found(&collection, matching)?);
    }
    Ok(())
}

impl Collection {
    fn read(folder: &Path) -> Result<Self> {
        let lines = |name: &str| -> Result<Vec<Vec<String>>> {
            let text = fs::read_to_string(folder.join(name)).with_context(|| format!("`{name}` cannot be read"))?;
            Ok(text
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(|line| line.split('\t').map(str::to_owned).collect())
                .collect())
        };
        let cell = |line: &[String], at: usize| line.get(at).cloned().unwrap_or_default();
        let mut numbers = HashMap::new();
        let mut documents = Vec::new();
        for line in lines("documents.tsv")? {
            documents.push((cell(&line, 1), cell(&line, 2)));
            numbers.insert(cell(&line, 0), documents.len() as u64);
        }
        let mut relevant: HashMap<String, HashSet<u64>> = HashMap::new();
        for line in lines("qrels.tsv")? {
            let is_relevant = cell(&line, 2).trim().parse::<f64>().is_ok_and(|relevance| relevance > 0.0);
            if let Some(number) = numbers.get(&cell(&line, 1)).filter(|_| is_relevant) {
                relevant.entry(cell(&line, 0)).or_default().insert(*number);
            }
        }
        let queries = lines("queries.tsv")?
            .iter()
            .filter_map(|line| Some((cell(line, 1), relevant.remove(&cell(line, 0))?)))
            .collect();
        Ok(Self { documents, queries })
    }
}

/// Our index of a collection.
struct Ours {
    index: Index,
    _folder: tempfile::TempDir,
    _db: TestDb,
}

impl Ours {
    async fn build(collection: &Collection) -> Result<Self> {
        let db = TestDb::new().await;
        db.execute(
            "INSERT INTO users (id, username, email, password) VALUES (1, 'producer-001', 'producer-001@example.org', 'x')",
        )
        .await;
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
        for (batch, documents) in (0..).zip(collection.documents.chunks(INSERT)) {
            let rows: Vec<String> = (1..)
                .zip(documents)
                .map(|(number, (title, text))| {
                    let id = batch * INSERT + number;
                    let title: String = title.chars().take(255).collect();
                    format!(
                        "({id}, 1, '{}', 'd-{id}', '{}', 'instrument', 'none.adg', TRUE)",
                        quoted(&title),
                        quoted(text)
                    )
                })
                .collect();
            db.execute(&format!(
                "INSERT INTO workflows (id, user_id, title, slug, description, rack_type, adg_file_path, is_published) VALUES {}",
                rows.join(", ")
            ))
            .await;
        }
        let folder = tempfile::tempdir().context("a folder")?;
        let index = Index::open(folder.path(), 50_000_000)?;
        index.rebuild(db.pool(), |_| {}).await?;
        Ok(Self {
            index,
            _folder: folder,
            _db: db,
        })
    }

    /// Ids found by each query.
    fn found(&self, collection: &Collection, matching: Matching) -> Result<Vec<Vec<u64>>> {
        let found = collection.queries.iter().map(|(text, _)| {
            let answer = self.index.search(&SearchRequest {
                limit: DEPTH,
                facets: Vec::new(),
                // A sentence's words only weigh, whatever is asked of a few.
                matching: if matching == Matching::All && Understood::read(text).is_long() {
                    Matching::Most
                } else {
                    matching
                },
                ..SearchRequest::text(text)
            })?;
            Ok(answer.hits.iter().map(|hit| hit.card.id).collect())
        });
        found.collect()
    }
}

/// Ids that tantivy's own parser finds.
fn tantivys(collection: &Collection, tokenizer: &str) -> Result<Vec<Vec<u64>>> {
    let mut schema = Schema::builder();
    let id = schema.add_u64_field("id", FAST);
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(tokenizer)
        .set_index_option(IndexRecordOption::WithFreqs);
    let text = schema.add_text_field("text", TextOptions::default().set_indexing_options(indexing));
    let index = tantivy::Index::create_in_ram(schema.build());
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 50_000_000)?;
    for (number, (title, prose)) in (1_u64..).zip(&collection.documents) {
        writer.add_document(doc!(id => number, text => format!("{title}\n{prose}")))?;
    }
    writer.commit()?;
    let searcher = index.reader()?.searcher();
    let parser = QueryParser::for_index(&index, vec![text]);
    let found = collection.queries.iter().map(|(query, _)| {
        // What is no letter or digit is grammar there.
        let plain: String = query.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let (query, _) = parser.parse_query_lenient(&plain.to_lowercase());
        let top = searcher.search(&query, &TopDocs::with_limit(DEPTH).order_by_score())?;
        top.into_iter()
            .map(|(_, address)| {
                let ids = searcher.segment_reader(address.segment_ord).fast_fields().u64("id")?;
                Ok(ids.first(address.doc_id).unwrap_or(0))
            })
            .collect()
    });
    found.collect()
}

fn print(name: &str, collection: &Collection, found: Vec<Vec<u64>>) {
    let queries = collection.queries.len().max(1) as f64;
    let mut gain = 0.0;
    let mut precision = 0.0;
    for ((_, relevant), found) in collection.queries.iter().zip(&found) {
        gain += ndcg(relevant, found);
        precision += average_precision(relevant, found);
    }
    println!("{name:<32}{:>10.4}{:>10.4}", gain / queries, precision / queries);
}

/// Normalised discounted cumulative gain of the first ten, with relevance 0 or 1 (Järvelin, Kekäläinen, 2002).
fn ndcg(relevant: &HashSet<u64>, found: &[u64]) -> f64 {
    let discount = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
    let gained = found.iter().take(TOP).enumerate().filter(|(_, id)| relevant.contains(id));
    let gained: f64 = gained.map(|(rank, _)| discount(rank)).sum();
    let ideal: f64 = (0..relevant.len().min(TOP)).map(discount).sum();
    if ideal == 0.0 { 0.0 } else { gained / ideal }
}

/// The mean of the precisions at each relevant hit; those that are not found count 0.
fn average_precision(relevant: &HashSet<u64>, found: &[u64]) -> f64 {
    let hits = found.iter().enumerate().filter(|(_, id)| relevant.contains(id));
    let sum: f64 = (1..)
        .zip(hits)
        .map(|(nth, (rank, _))| f64::from(nth) / (rank as f64 + 1.0))
        .sum();
    sum / relevant.len().max(1) as f64
}
