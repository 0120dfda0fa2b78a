import { mentionsRemote, namesHosts, sentTo } from '../notebook/source';

describe('a cell that is sent to a host', () => {
  it.each([
    ['x = 1\nx', '%%remote dgx01\nx = 1\nx'],
    ['\n  \nx', '%%remote dgx01\nx'],
    ['    x', '%%remote dgx01\n    x'],
    ['%%time\nx', '%%remote dgx01\n%%time\nx'],
    ['%%local\nx', '%%remote dgx01\nx'],
    ['%%remote\nx', '%%remote dgx01\nx'],
    ['%%remote other\nx', '%%remote dgx01\nx'],
    ['%%remote other --gpus 1  --label "a  b"\nx', '%%remote dgx01 --gpus 1  --label "a  b"\nx'],
    ['%%remote --bash\nls', '%%remote dgx01 --bash\nls'],
    ['%%remotely\nx', '%%remote dgx01\n%%remotely\nx'],
    ['x # %%remote other', '%%remote dgx01\nx # %%remote other']
  ])('%j', (source, sent) => {
    expect(sentTo(source, 'dgx01')).toBe(sent);
  });

  it.each(['', ' \n', '%%remote other', '%%remote other\n \n', '%%local\n'])('has nothing to run: %j', source => {
    expect(sentTo(source, 'dgx01')).toBe('');
  });

  it('goes to several hosts and to groups', () => {
    expect(sentTo('x', 'a,b')).toBe('%%remote a,b\nx');
    expect(sentTo('x', '@gpus')).toBe('%%remote @gpus\nx');
  });

  it.each(['', '-x', '--bash', 'a b', 'a\nb', 'a;b', 'x'.repeat(502), 'ä', null, 3])('never to %j', host => {
    expect(namesHosts(host)).toBe(false);
    expect(() => sentTo('x', host as string)).toThrow('not the name of a host');
  });
});

describe('a kernel may know the magics', () => {
  it.each([
    ['%load_ext jupyter_remote', true],
    ['import jupyter_remote as jr', true],
    ['%%remote a\nx', true],
    ['x\n  %remote list', true],
    ['%autoremote a', true],
    ['remote = 3', false]
  ])('%j: %s', (source, may) => {
    expect(mentionsRemote(source)).toBe(may);
  });
});
