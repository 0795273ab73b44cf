//! A backend for apalis that has no queue behind it: whenever a wait is over, there is a task. So what polls stops, restarts and is seen
//! like all other work of the background.

use std::convert::Infallible;
use std::task::{Context as TaskContext, Poll, ready};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use futures::FutureExt;
use futures::future::BoxFuture;
use tower::layer::util::Identity;

/// What a [`Poller`]'s tasks carry: nothing, the work finds out itself what there is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due;

/// Emits a task each time that its wait is over.
pub(crate) struct Poller {
    wait: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    waiting: Option<BoxFuture<'static, ()>>,
}

impl Poller {
    /// A poller that begins a new `wait` whenever it has emitted a task. Waits that are dropped must lose nothing.
    pub(crate) fn new<Fut>(wait: impl Fn() -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self {
            wait: Box::new(move || wait().boxed()),
            waiting: None,
        }
    }
}

impl Backend for Poller {
    type Task = Task<Due>;
    type Error = Infallible;

    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>, _worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut TaskContext<'_>, _worker: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        let waiting = self.waiting.get_or_insert_with(&self.wait);
        ready!(waiting.poll_unpin(cx));
        self.waiting = None;
        Poll::Ready(Some(Ok(Task::new(Due))))
    }

    fn poll_close(&mut self, _cx: &mut TaskContext<'_>, _worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.waiting = None;
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Poller {
    type Args = Due;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
