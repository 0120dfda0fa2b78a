/** What hosts have besides sessions and runs, as the server last told of it. */
import type { Campaign, Environment, Forward, ServerMessage } from '../api/models';
import type { Emitter } from './emitter';

/** Keys of its changes: `campaigns:HOST`, `environments:HOST`, `forwards`. */
export class Belongings {
  constructor(private readonly emitter: Emitter) {}

  /** Of a host, once somebody has asked for them. */
  campaigns(host: string): readonly Campaign[] | undefined {
    return this._campaigns.get(host);
  }

  setCampaigns(host: string, campaigns: readonly Campaign[]): void {
    this._campaigns.set(host, campaigns);
    this.emitter.changed(`campaigns:${host}`);
  }

  /** Of a host, once somebody has asked for them. */
  environments(host: string): readonly Environment[] | undefined {
    return this._environments.get(host);
  }

  setEnvironments(host: string, environments: readonly Environment[]): void {
    this._environments.set(host, environments);
    this.emitter.changed(`environments:${host}`);
  }

  /** Of all hosts, the oldest first. */
  get forwards(): readonly Forward[] {
    return this._forwards;
  }

  setForwards(forwards: readonly Forward[]): void {
    this._forwards = forwards;
    this.emitter.changed('forwards');
  }

  /** Takes a message that is about them. */
  hear(message: ServerMessage): void {
    if (message.subject === 'campaigns') {
      this.setCampaigns(message.host, message.campaigns);
    } else if (message.subject === 'environments') {
      this.setEnvironments(message.host, message.environments);
    } else if (message.subject === 'forwards') {
      this.setForwards(message.forwards);
    }
  }

  private readonly _campaigns = new Map<string, readonly Campaign[]>();
  private readonly _environments = new Map<string, readonly Environment[]>();
  private _forwards: readonly Forward[] = [];
}
