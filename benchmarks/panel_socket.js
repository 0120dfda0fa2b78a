// Stands for the websocket of the server: each host's sample once a second with all its cards, and 20 runs a
// second with a new metric. HOSTS is filled in by panel.py.
(() => {
    const Real = window.WebSocket, hosts = HOSTS;
    let seq = 0;
    class Fake {
        readyState = 1;
        constructor() {
            const say = message => this.onmessage?.({ data: JSON.stringify(message) });
            setTimeout(() => say({ subject: 'hello', seq, server: 'bench', resumed: false,
                hosts: { hosts, groups: {}, problem: null }, operations: [], prompts: [] }), 0);
            window.benchPlay = () => {
                let tick = 0;
                setInterval(() => {
                    const host = hosts[tick++ % hosts.length];
                    const use = Math.random() * 100;
                    const gpus = host.sample.gpus.map(gpu => ({ index: gpu.index, use, memory_used: use * 8e8 }));
                    const sample = { time: tick, cpu: use, gpus };
                    say({ subject: 'sample', host: host.name, whole: false, sample });
                }, 1000 / hosts.length);
                setInterval(() => {
                    const known = window.benchRuns[Math.floor(Math.random() * 40)];
                    const run = { ...known, metrics: { loss: Math.random() } };
                    say({ subject: 'run', seq: ++seq, id: run.id, run });
                }, 50);
            };
        }
        send() {}
        close() {}
    }
    window.WebSocket = new Proxy(Real, { construct: (target, args) =>
        args[0].includes('jupyter-remote/api/events') ? new Fake() : new target(...args) });
})();
