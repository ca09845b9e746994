/** The messages that runc has ever sent over a byte stream; each dialect has some of them. */
export type StreamType =
  | 'procError'
  | 'procReady'
  | 'procRun'
  | 'procStart'
  | 'procHooks'
  | 'procResume'
  | 'procConsole'
  | 'procConsoleReq'
  | 'procConsoleAck'
  | 'procSeccomp'
  | 'procSeccompDone';

/** One message of runc before 1.2, from a byte stream. */
export type StreamMessage<Type extends StreamType = StreamType> = {
  readonly type: Type;
  /** The number of the seccomp notify descriptor in the child; procSeccomp has it, no other. */
  readonly fd?: number;
  /** The text of the error object; procError has it, no other. */
  readonly arg?: string;
  /** The error object stood, or is to be sent, without procError before it. */
  readonly unannounced?: true;
};
