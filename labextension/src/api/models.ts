/** Names for the contract's types; `schema.ts` is made from rest-api.yml (`jlpm types`). */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Artifact = Schemas['Artifact'];
export type Artifacts = Schemas['Artifacts'];
export type Campaign = Schemas['Campaign'];
export type Campaigns = Schemas['Campaigns'];
export type Comparison = Schemas['Comparison'];
export type Display = Schemas['Display'];
export type CellOutputs = Schemas['CellOutputs'];
export type Environment = Schemas['Environment'];
export type Environments = Schemas['Environments'];
export type Finding = Schemas['Finding'];
export type Forward = Schemas['Forward'];
export type Gpu = Schemas['Gpu'];
export type Host = Schemas['Host'];
export type HostAction = Schemas['HostAction'];
export type HostActionOptions = Schemas['HostActionOptions'];
export type HostDetail = Schemas['HostDetail'];
export type Hosts = Schemas['Hosts'];
export type Line = Schemas['Line'];
export type Metrics = Schemas['Metrics'];
export type NewForward = Schemas['NewForward'];
export type NewHost = Schemas['NewHost'];
export type NewRun = Schemas['NewRun'];
export type Operation = Schemas['Operation'];
export type Output = Schemas['Output'];
export type OutputEvent = Schemas['OutputEvent'];
export type PageMessage = Schemas['PageMessage'];
export type Problem = Schemas['Problem'];
export type Prompt = Schemas['Prompt'];
export type Refusal = Schemas['Refusal'];
export type Run = Schemas['Run'];
export type RunAction = Schemas['RunAction'];
export type RunActionOptions = Schemas['RunActionOptions'];
export type RunsAction = Schemas['RunsAction'];
export type RunDetail = Schemas['RunDetail'];
export type Runs = Schemas['Runs'];
export type Sample = Schemas['Sample'];
export type SampleChange = Schemas['SampleChange'];
export type Series = Schemas['Series'];
export type ServerMessage = Schemas['ServerMessage'];
export type Session = Schemas['Session'];
export type State = Schemas['State'];
export type Step = Schemas['Step'];
export type Version = Schemas['Version'];

/** What a list of runs may be narrowed by. */
export interface RunQuery {
  host?: string;
  state?: string;
  campaign?: string;
  notebook?: string;
  label?: string;
  text?: string;
  since?: number;
  deleted?: boolean;
  before?: string;
  limit?: number;
}

/** States of a run that can still change. */
export const ONGOING: ReadonlySet<State> = new Set<State>(['queued', 'starting', 'running']);
