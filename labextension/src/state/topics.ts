/** What the page has subscribed to, by who needs it; said to the server in one place. */
import type { PageMessage } from '../api/models';

/** Topics with a count of users each. */
export class Topics {
  /**
   * @param send says it to the server, if one is there.
   */
  constructor(private readonly send: (message: PageMessage) => void) {}

  /**
   * Needs a topic; returns what ends that.
   *
   * @param lines of `output:RUN`: how many settled lines the page has.
   */
  need(topic: string, lines?: () => number): () => void {
    const count = this.counts.get(topic) ?? 0;
    this.counts.set(topic, count + 1);
    if (lines) {
      this.lines.set(topic, lines);
    }
    if (count === 0) {
      this.say([topic]);
    }
    let ended = false;
    return () => {
      if (!ended) {
        ended = true;
        this.release(topic);
      }
    };
  }

  /** After each hello: the server has forgotten all of it. */
  sayAll(): void {
    this.say([...this.counts.keys()]);
  }

  private say(topics: string[]): void {
    if (topics.length === 0) {
      return;
    }
    const lines: Record<string, number> = {};
    for (const topic of topics) {
      const count = this.lines.get(topic)?.();
      if (count !== undefined) {
        lines[topic.slice('output:'.length)] = count;
      }
    }
    this.send(Object.keys(lines).length > 0 ? { subscribe: topics, lines } : { subscribe: topics });
  }

  private release(topic: string): void {
    const count = (this.counts.get(topic) ?? 1) - 1;
    if (count > 0) {
      this.counts.set(topic, count);
      return;
    }
    this.counts.delete(topic);
    this.lines.delete(topic);
    this.send({ unsubscribe: [topic] });
  }

  private readonly counts = new Map<string, number>();
  private readonly lines = new Map<string, () => number>();
}
