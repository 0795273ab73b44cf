//! The settings themselves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Secret;
use crate::log::LogFormat;

/// What is kept of the addresses that views and downloads come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressPolicy {
    /// A hash under the installation's key.
    Hashed,
    /// The network.
    Truncated,
    /// Nothing.
    Omitted,
}

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }
        )*
    };
}

// Units and reasons stand in `config/default.toml`; here each key is named once more, for the compiler.
sections! {
    /// `[data]`
    DataSettings {
        /// Folder of everything that is kept on this machine.
        dir: PathBuf,
    }
    /// `[log]`
    LogSettings {
        /// An `EnvFilter` directive.
        filter: String,
        /// For people or for programs.
        format: LogFormat,
    }
    /// `[http]`
    HttpSettings {
        /// Address of the API.
        listen: SocketAddr,
        /// Largest upload.
        max_upload_bytes: u64,
        /// Largest other body.
        max_body_bytes: usize,
        /// Longest request, in seconds.
        request_timeout_s: u64,
        /// Time for running requests at shutdown, in seconds.
        shutdown_grace_s: u64,
        /// Time for a request's head, in seconds.
        header_timeout_s: u64,
        /// Time for a client to take what it was sent, in seconds.
        stalled_write_s: u64,
        /// Most connections.
        max_connections: usize,
        /// Addresses and networks of proxies in front.
        trusted_proxies: Vec<String>,
        /// Origins whose pages may call.
        cors_origins: Vec<String>,
        /// Hours that answers of idempotent requests are kept.
        idempotency_keep_h: u32,
    }
    /// `[auth]`
    AuthSettings {
        /// Key of signatures; empty for a made one.
        secret: Secret,
        /// Memory of a hash.
        argon2_memory_kib: u32,
        /// Passes of a hash.
        argon2_passes: u32,
        /// Lanes of a hash.
        argon2_lanes: u32,
        /// Hashes at once; 0 for one a core.
        hash_at_once: usize,
        /// Time of a refused login, in milliseconds.
        refusal_ms: u64,
        /// Window in which failures count, in seconds.
        login_window_s: u32,
        /// Failures of one account.
        login_failures_per_account: u32,
        /// Failures from one address.
        login_failures_per_address: u32,
        /// Life of a login, in days.
        session_days: u32,
        /// Life of a registration, in hours.
        registration_hours: u32,
        /// Life of a link to set a password, in minutes.
        reset_minutes: u32,
    }
    /// `[mail]`
    MailSettings {
        /// SMTP's URL; empty for a folder.
        url: Secret,
        /// Sender.
        from: String,
        /// The API's address from outside; empty for `http.listen`.
        public_url: String,
    }
    /// `[limits]`: requests a minute.
    LimitsSettings {
        /// Whether there are any.
        enabled: bool,
        /// Reading.
        read_per_minute: u32,
        /// Searching.
        search_per_minute: u32,
        /// Changing.
        write_per_minute: u32,
        /// Sending files.
        upload_per_minute: u32,
        /// Logging in and registering.
        login_per_minute: u32,
        /// How much more an address may than a token.
        address_factor: u32,
    }
    /// `[database]`
    DatabaseSettings {
        /// MySQL's URL; empty for an embedded server.
        url: Secret,
        /// Size of the pool.
        max_connections: u32,
        /// Wait for a connection, in seconds.
        acquire_timeout_s: u64,
    }
    /// `[redis]`
    RedisSettings {
        /// Redis' URL; empty for an embedded server, or none.
        url: Secret,
        /// Longest operation, in milliseconds.
        timeout_ms: u64,
    }
    /// `[files]`
    FilesSettings {
        /// An object store's URL; empty for a local folder.
        url: Secret,
        /// Age at which an unnamed file goes, in hours.
        unnamed_keep_hours: u32,
        /// Largest avatar.
        max_avatar_bytes: usize,
        /// Largest preview sound.
        max_preview_audio_bytes: usize,
        /// Largest preview picture.
        max_preview_image_bytes: usize,
    }
    /// `[parser]`
    ParserSettings {
        /// Largest XML.
        max_xml_bytes: u64,
        /// Most elements.
        max_elements: u64,
        /// Deepest nesting.
        max_depth: usize,
        /// Longest tag with its attributes.
        max_value_bytes: usize,
        /// Most racks, chains, devices, mappings and samples, together.
        max_items: usize,
        /// Most bytes of names and texts, together.
        max_text_bytes: usize,
    }
    /// `[jobs]`
    JobsSettings {
        /// Name of this process; empty for a made one.
        node: String,
        /// Parse jobs at once; 0 for two per core.
        parse_concurrency: usize,
        /// Wait at an empty queue, in milliseconds.
        poll_ms: u64,
        /// Between signs of life, in seconds.
        heartbeat_s: u64,
        /// Silence that means death, in seconds.
        dead_after_s: u64,
        /// Attempts before the dead letters.
        max_attempts: u32,
        /// First wait between attempts, in milliseconds.
        backoff_base_ms: u64,
        /// Longest wait between attempts, in milliseconds.
        backoff_cap_ms: u64,
        /// Days that finished jobs are kept.
        keep_done_days: u32,
        /// Time for running jobs at shutdown, in seconds.
        shutdown_grace_s: u64,
    }
    /// `[feed]`
    FeedSettings {
        /// Activities kept ready for one reader.
        cap: u32,
        /// Days of absence after which nothing is kept.
        active_days: u32,
        /// Followers above which an author is merged in.
        copied_followers: u32,
        /// Life of a feed in Redis, in seconds.
        redis_ttl_s: u64,
        /// Open streams at once.
        max_streams: usize,
        /// Between signs of life on a stream, in seconds.
        heartbeat_s: u64,
        /// Life of a stream, in seconds.
        stream_s: u64,
    }
    /// `[similar]`
    SimilarSettings {
        /// Weight of devices.
        devices: f64,
        /// Weight of plug-ins.
        plugins: f64,
        /// Weight of tags.
        tags: f64,
        /// Weight of the names of macros.
        macros: f64,
        /// Weight of the title.
        title: f64,
        /// Weight of the description.
        text: f64,
        /// Weight of the genre.
        genre: f64,
        /// Weight of the key.
        key: f64,
        /// Weight of the tempo.
        tempo: f64,
        /// Weight of who took both.
        behaviour: f64,
    }
    /// `[search]`
    SearchSettings {
        /// Time that one search may take, in milliseconds.
        budget_ms: u64,
        /// Wait for a core, in milliseconds.
        queue_ms: u64,
        /// Searches that may wait for one core.
        queue_per_core: usize,
        /// File of synonyms; empty for those that are compiled in.
        synonyms: PathBuf,
        /// Longest wait for a position in the log of changes, in milliseconds.
        wait_for_ms: u64,
    }
    /// `[recommendations]`
    RecommendationSettings {
        /// Weight of a download.
        download: f64,
        /// Weight of a like.
        like: f64,
        /// Weight of a rating of four stars or more.
        rating: f64,
        /// Weight of an addition to a collection.
        collection_add: f64,
        /// What a person's further acts to the same workflow count.
        further_acts: f64,
        /// Half-life of acts, in days.
        half_life_days: f64,
        /// Most workflows of one person from which likeness is computed.
        most_interactions: usize,
        /// People who took each of two workflows, at which their likeness is half of the cosine: what it is chosen from.
        shrinkages: Vec<f64>,
        /// Neighbours of a workflow.
        neighbours: usize,
        /// Most workflows of one person from which a list is made.
        recent: usize,
        /// Interests after which one counts half in a list.
        recent_half: f64,
        /// Weight of likeness in content.
        alike: f64,
        /// Workflows of which others alike in content are looked for.
        alike_sources: usize,
        /// Most of one author in a list.
        per_author: usize,
        /// Every so many places are for trying; 0: none.
        explore_every: usize,
    }
    /// `[trending]`
    TrendingSettings {
        /// Weight of a view.
        view: f64,
        /// Weight of a download.
        download: f64,
        /// Weight of a like.
        like: f64,
        /// Weight of a comment.
        comment: f64,
        /// Weight of each star of a rating above three.
        star: f64,
        /// Weight of an addition to a collection.
        collection_add: f64,
        /// What an actor's further acts count.
        further_acts: f64,
        /// Half-life of acts on the list of a day, in hours.
        day_half_life_hours: f64,
        /// Half-life of acts on the list of a week, in hours.
        week_half_life_hours: f64,
        /// Half-life of acts on the list of 30 days, in hours.
        month_half_life_hours: f64,
        /// Half-life of a workflow's own past on the list of a day, in days.
        day_baseline_days: f64,
        /// The same for a week.
        week_baseline_days: f64,
        /// The same for 30 days.
        month_baseline_days: f64,
        /// Fewest actors.
        least_actors: u32,
        /// Most that one actor counts, as a part of all others.
        actor_per_others: f64,
        /// Actors of one network who count in full.
        network_free: u32,
        /// What each further one counts of the one before.
        network_ratio: f64,
        /// Days for which an account is new.
        new_account_days: f64,
        /// Weight of anonymous and new actors.
        newcomer_weight: f64,
        /// Newcomers who are not held against the number of the established.
        newcomers_free: u32,
    }
    /// `[index]`
    IndexSettings {
        /// Folder of the index; empty for one under `data.dir`.
        dir: PathBuf,
        /// Memory of the writer.
        writer_memory_bytes: usize,
        /// Wait at the end of the log, in milliseconds.
        poll_ms: u64,
        /// Changes in one commit.
        batch: u32,
        /// Wait between looks at counters, in milliseconds.
        counters_poll_ms: u64,
        /// Days that the log of changes is kept.
        keep_log_days: u32,
    }
    /// `[community]`
    CommunitySettings {
        /// Longest comment, in characters.
        comment_max_chars: usize,
        /// How deep discussions go.
        comment_max_depth: u32,
        /// Longest review, in characters.
        review_max_chars: usize,
        /// Most collections of one person.
        max_collections: u32,
        /// Most workflows of one collection.
        max_collection_workflows: u32,
    }
    /// `[events]`: views and downloads.
    EventsSettings {
        /// Days that views and downloads are kept; 0: for ever.
        keep_days: u32,
        /// Most that share one INSERT.
        batch: usize,
        /// Most that wait.
        queue: usize,
        /// Wait of a group for more, in milliseconds.
        linger_ms: u64,
        /// Seconds within which the same again does not count.
        repeat_s: u64,
        /// What is kept of addresses.
        addresses: AddressPolicy,
        /// Days that it is kept.
        keep_addresses_days: u32,
        /// Whether reading a page is a view.
        view_on_read: bool,
        /// Parts of user agents of programs that look at everything.
        bots: Vec<String>,
    }
    /// `[search_log]`
    SearchLogSettings {
        /// Days that searches are kept.
        keep_days: u32,
        /// Rest after which a typed text is one search, in milliseconds.
        settle_ms: u64,
        /// Most notes that wait to be written.
        queue: usize,
    }
    /// `[reports]`
    ReportsSettings {
        /// Time zone of days and of the times in `schedule.report_…`.
        zone: String,
        /// Most periods that are looked back for missing reports.
        catch_up: u32,
        /// Who gets them by mail.
        mail_to: Vec<String>,
        /// What is called with each.
        webhook_url: Secret,
        /// Key of the calls' signatures.
        webhook_secret: Secret,
        /// Time for an answer, in seconds.
        webhook_timeout_s: u64,
    }
    /// `[metrics]`
    MetricsSettings {
        /// Address that answers with metrics; empty for none.
        listen: String,
    }
    /// `[schedule]`: cron expressions, in UTC.
    ScheduleSettings {
        /// Re-enqueue pending uploads.
        sweep_pending: String,
        /// Apply noted repairs of counts.
        repair_counts: String,
        /// Remove unnamed files.
        sweep_files: String,
        /// Compare indexes with MySQL.
        compare_index: String,
        /// Forget old addresses.
        forget_addresses: String,
        /// Delete old jobs.
        prune_jobs: String,
        /// Shorten the log of changes.
        prune_index_log: String,
        /// Make coming months' partitions.
        extend_partitions: String,
        /// Roll up what happened.
        roll_up: String,
        /// Keep feeds in step.
        tend_feeds: String,
        /// Forget feeds of the absent.
        prune_feeds: String,
        /// Compute what trends.
        compute_trending: String,
        /// Compute which workflows go together.
        compute_recommendations: String,
        /// Compute that for the first time.
        first_recommendations: String,
        /// Delete old searches.
        prune_search_log: String,
        /// Forget what need not be remembered.
        prune_traces: String,
        /// Archive and drop old events.
        retire_events: String,
        /// Compare all counts with what they count.
        reconcile_counts: String,
        /// Make the report of a day.
        report_daily: String,
        /// Make the report of a week.
        report_weekly: String,
        /// Make the report of a month.
        report_monthly: String,
    }
    /// All settings.
    Settings {
        /// What is kept on this machine.
        data: DataSettings,
        /// Logging.
        log: LogSettings,
        /// The API.
        http: HttpSettings,
        /// Accounts and passwords.
        auth: AuthSettings,
        /// Mail.
        mail: MailSettings,
        /// How much one may ask.
        limits: LimitsSettings,
        /// MySQL.
        database: DatabaseSettings,
        /// Redis.
        redis: RedisSettings,
        /// Uploaded files.
        files: FilesSettings,
        /// Limits of the parser.
        parser: ParserSettings,
        /// The queue and its workers.
        jobs: JobsSettings,
        /// The search index.
        index: IndexSettings,
        /// Limits of searching.
        search: SearchSettings,
        /// Feeds.
        feed: FeedSettings,
        /// What makes racks alike.
        similar: SimilarSettings,
        /// Limits of what people write.
        community: CommunitySettings,
        /// Views and downloads.
        events: EventsSettings,
        /// What trends.
        trending: TrendingSettings,
        /// What is recommended.
        recommendations: RecommendationSettings,
        /// Notes of searches.
        search_log: SearchLogSettings,
        /// Reports for admins.
        reports: ReportsSettings,
        /// Metrics for operators.
        metrics: MetricsSettings,
        /// The timetable.
        schedule: ScheduleSettings,
    }
}

impl SimilarSettings {
    /// The most that content can add to a likeness.
    pub fn most(&self) -> f64 {
        let lists = self.devices + self.plugins + self.tags + self.macros + self.title + self.text;
        (lists + self.genre + self.key + self.tempo).max(f64::MIN_POSITIVE)
    }
}

impl SearchSettings {
    /// Time that one search may take.
    pub fn budget(&self) -> Duration {
        Duration::from_millis(self.budget_ms)
    }

    /// Wait for a core.
    pub fn queue(&self) -> Duration {
        Duration::from_millis(self.queue_ms)
    }

    /// Longest wait for a position.
    pub fn wait_for(&self) -> Duration {
        Duration::from_millis(self.wait_for_ms)
    }
}

impl Settings {
    /// Folder of the search index.
    pub fn index_dir(&self) -> PathBuf {
        if self.index.dir.as_os_str().is_empty() {
            self.data.dir.join("index")
        } else {
            self.index.dir.clone()
        }
    }

    /// Folder of uploaded files, where they are kept on this machine.
    pub fn files_dir(&self) -> PathBuf {
        self.data.dir.join("files")
    }

    /// Folder of mails that are written and not sent.
    pub fn mail_dir(&self) -> PathBuf {
        self.data.dir.join("mail")
    }

    /// Where people reach the API, without a slash at the end.
    pub fn public_url(&self) -> String {
        if self.mail.public_url.is_empty() {
            format!("http://{}", self.http.listen)
        } else {
            self.mail.public_url.trim_end_matches('/').to_owned()
        }
    }

    /// The effective values as TOML, secrets hidden.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
    }
}

impl RedisSettings {
    /// Longest Redis operation.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
