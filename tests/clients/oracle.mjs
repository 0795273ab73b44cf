// What the native API says of the same question: the clients must be told the same.
import assert from 'node:assert/strict';

export const base = process.argv[2];

export async function native(query) {
  const response = await fetch(`${base}/v1/search?${query}`);
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

/** Counts of one facet as `{value: count}`, without values that nothing has. */
export function counts(answer, facet) {
  const values = answer.facets[facet].values.filter((value) => value.count > 0);
  return Object.fromEntries(values.map(({ value, count }) => [value, count]));
}

export async function test(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}\n${error.stack}`);
    process.exitCode = 1;
  }
}

/** The error that a promise ends with. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
