// An InstantSearch page with its usual controls, over Algolia's client and over both lines of instant-meilisearch.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { liteClient } from 'algoliasearch/lite';
import { instantMeiliSearch as before } from 'instant-meilisearch-0';
import { instantMeiliSearch as current } from 'instant-meilisearch-1';
import { base, counts, native, test } from './oracle.mjs';

// Without a bundler its CommonJS build is the one that Node can load.
const require = createRequire(import.meta.url);
const instantsearch = require('instantsearch.js').default;
const connect = require('instantsearch.js/cjs/connectors');

const hosts = [{ url: new URL(base).host, accept: 'readWrite', protocol: 'http' }];
const clientOf = (made) => made.searchClient ?? made;
const clients = {
  'algoliasearch 5.64': () => liteClient('APP', 'any key', { hosts }),
  'instant-meilisearch 0.31.3': () => clientOf(before(base, 'any key')),
  'instant-meilisearch 0.31.3 with numbered pages': () => clientOf(before(base, 'any key', { finitePagination: true })),
  'instant-meilisearch 1.0.0': () => clientOf(current(base, 'any key')),
};

/** Shows a page, and gives what its controls show once it has settled, and what it asked for. */
function shown(searchClient) {
  return new Promise((resolve, reject) => {
    const seen = { asked: [] };
    const search = instantsearch({
      indexName: 'workflows',
      searchClient: {
        ...searchClient,
        search: (requests) => {
          seen.asked.push(requests.length);
          return searchClient.search(requests);
        },
      },
      initialUiState: {
        workflows: {
          query: 'warm',
          refinementList: { genre: ['House', 'Techno'] },
          range: { bpm: '100:150' },
          toggle: { is_featured: true },
        },
      },
    });
    const show = (name) => (options) => {
      seen[name] = options;
    };
    search.addWidgets([
      connect.connectHits(show('hits'))({}),
      connect.connectStats(show('stats'))({}),
      connect.connectSearchBox(show('box'))({}),
      connect.connectRefinementList(show('genre'))({ attribute: 'genre', operator: 'or' }),
      connect.connectRefinementList(show('device'))({ attribute: 'device', operator: 'and', limit: 50 }),
      connect.connectRange(show('bpm'))({ attribute: 'bpm' }),
      connect.connectToggleRefinement(show('featured'))({ attribute: 'is_featured' }),
      connect.connectHierarchicalMenu(show('category'))({ attributes: ['category', 'category_device'] }),
      connect.connectPagination(show('pages'))({}),
      connect.connectConfigure(show('configure'))({ searchParameters: { hitsPerPage: 6 } }),
    ]);
    const late = setTimeout(() => reject(new Error('the page did not settle')), 8000);
    search.on('error', reject);
    search.on('render', () => {
      // It renders itself empty first.
      if (search.status !== 'idle' || !seen.hits?.results) return;
      clearTimeout(late);
      search.dispose();
      resolve(seen);
    });
    search.start();
  });
}

for (const [name, client] of Object.entries(clients)) {
  await test(`${name}: a page of InstantSearch shows what the native API says`, async () => {
    const page = await shown(client());
    const filters = 'genre=House&genre=Techno&bpm=100-150&is_featured=true';
    const told = await native(`q=warm&${filters}&limit=6&facet_limit=100&numbers=bpm`);
    assert.ok(told.total > 0);
    // The page's hits and the counts beside each chosen control: several queries, sent at once.
    assert.equal(page.asked.length, 1);
    assert.ok(page.asked[0] >= 4, String(page.asked));
    assert.deepEqual(page.hits.hits.map((hit) => Number(hit.objectID ?? hit.id)), told.hits.map((hit) => hit.id));
    assert.match(page.hits.hits[0]._highlightResult.title.value, /<mark>Warm<\/mark>/i);
    if (!name.includes('instant-meilisearch') || name.includes('numbered')) {
      assert.equal(page.stats.nbHits, told.total);
      assert.equal(page.pages.nbPages, Math.ceil(told.total / 6));
    }
    // What is chosen keeps its siblings' counts, which takes a query of its own from each client, and one pass from us.
    const genres = Object.fromEntries(page.genre.items.map((item) => [item.value, item.count]));
    const toldGenres = counts(told, 'genre');
    for (const item of page.genre.items) assert.equal(genres[item.value], toldGenres[item.value], item.value);
    assert.ok(page.genre.items.length > 2);
    assert.deepEqual(page.genre.items.filter((item) => item.isRefined).map((item) => item.value).sort(), ['House', 'Techno']);
    const devices = Object.fromEntries(page.device.items.map((item) => [item.value, item.count]));
    assert.deepEqual(devices, counts(told, 'device'));
    assert.ok(page.bpm.range.min <= 100 && page.bpm.range.max >= 150, JSON.stringify(page.bpm.range));
    assert.equal(page.featured.value.isRefined, true);
  });
}
