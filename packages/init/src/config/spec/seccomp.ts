// `linux.seccomp` of the OCI runtime specification 1.3, config-linux.md, Seccomp.

export type OciSeccompAction =
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_NOTIFY';

export type OciSeccompOperator =
  | 'SCMP_CMP_NE'
  | 'SCMP_CMP_LT'
  | 'SCMP_CMP_LE'
  | 'SCMP_CMP_EQ'
  | 'SCMP_CMP_GE'
  | 'SCMP_CMP_GT'
  | 'SCMP_CMP_MASKED_EQ';

export type OciSeccompFlag =
  | 'SECCOMP_FILTER_FLAG_TSYNC'
  | 'SECCOMP_FILTER_FLAG_LOG'
  | 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'
  | 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV';

export type OciSeccomp = {
  defaultAction: OciSeccompAction;
  /** Of SCMP_ACT_ERRNO and SCMP_ACT_TRACE only. Default EPERM. */
  defaultErrnoRet?: number | undefined;
  /** `SCMP_ARCH_…`; the machine's own is always included. */
  architectures?: string[] | null | undefined;
  /** Absent: SECCOMP_FILTER_FLAG_SPEC_ALLOW, as with runc since 1.2; an empty list: none. */
  flags?: OciSeccompFlag[] | null | undefined;
  /** Unix stream socket of the agent that decides about SCMP_ACT_NOTIFY. */
  listenerPath?: string | undefined;
  /** Passed to the agent as it is. */
  listenerMetadata?: string | undefined;
  syscalls?: OciSeccompRule[] | null | undefined;
};

export type OciSeccompRule = {
  names: string[];
  action: OciSeccompAction;
  /** Of SCMP_ACT_ERRNO and SCMP_ACT_TRACE only. Default EPERM. */
  errnoRet?: number | undefined;
  /** All must hold; where two look at one argument, one of all must. */
  args?: OciSeccompArg[] | null | undefined;
};

export type OciSeccompArg = {
  /** 0 to 5 */
  index: number;
  /** The mask for SCMP_CMP_MASKED_EQ. */
  value: number | bigint;
  /** What is left under the mask. */
  valueTwo?: number | bigint | undefined;
  op: OciSeccompOperator;
};
