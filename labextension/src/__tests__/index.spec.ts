import plugins from '..';

test('every plugin has a name of its own', () => {
  const ids = plugins.map(plugin => plugin.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every(id => id.startsWith('jupyter-remote:'))).toBe(true);
});
