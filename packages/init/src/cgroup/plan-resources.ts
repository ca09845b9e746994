import type { OciResources } from '../config/spec/resources.ts';
import { UnsupportedConfigError } from '../errors.ts';
import type { CgroupWrite } from './cgroup-write.ts';
import {
  planBlockIOV1,
  planCpuset,
  planCpuV1,
  planHugepagesV1,
  planMemoryV1,
  planNetCls,
  planNetPrio,
  planPids,
  planRdma,
} from './plan-v1.ts';
import {
  type CurrentLimits,
  planBlockIOV2,
  planCpuV2,
  planHugepagesV2,
  planMemoryV2,
  planUnified,
  unifiedField,
} from './plan-v2.ts';

/** A hierarchy as far as the planning of resources goes. */
export type ResourceHierarchy = {
  version: 1 | 2;
  /** As in {@link Hierarchy}; of no meaning on v2. */
  controllers: string;
};

/** What one hierarchy has to do. */
export type ResourcePlan = {
  /** In order. */
  writes: CgroupWrite[];
  /** Controllers of v2 that the writes need; none on v1, where they are always there. */
  enable: string[];
};

/**
 * Turns `linux.resources`, without its devices, into writes for each hierarchy.
 *
 * A controller belongs to one hierarchy at a time. On a hybrid host each field goes where its
 * controller is, and `unified` to v2.
 *
 * @param controllersOfV2 the words of `cgroup.controllers` where v2 is mounted; asked for at most once, and not for v1 alone
 * @returns one for each of `hierarchies`, in their order
 * @throws UnsupportedConfigError when no hierarchy has the controller of a field, or its version has no such field
 * @throws InvalidConfigError when fields contradict each other
 */
export function planResources(
  resources: OciResources,
  hierarchies: readonly ResourceHierarchy[],
  controllersOfV2: () => readonly string[],
  current: CurrentLimits = {},
): ResourcePlan[] {
  const plans = hierarchies.map((): ResourcePlan => ({ writes: [], enable: [] }));
  const unified = hierarchies.findIndex(({ version }) => version === 2);
  let known: readonly string[] | undefined;
  const hasV2 = (controller: string): boolean =>
    unified !== -1 && (known ??= controllersOfV2()).includes(controller);
  const hasV1 = (controller: string): number =>
    hierarchies.findIndex(
      ({ version, controllers }) => version === 1 && controllers.split(',').includes(controller),
    );
  const add = (index: number, controller: string, writes: readonly CgroupWrite[]): void => {
    const plan = plans[index]!;
    plan.writes.push(...writes);
    if (index === unified && !plan.enable.includes(controller)) plan.enable.push(controller);
  };

  /** One controller's share of the resources: planned for the version that has it here. */
  const plan = (
    [v1Name, v2Name]: readonly [v1: string, v2?: string],
    planV1: () => CgroupWrite[],
    planV2: () => CgroupWrite[] = planV1,
  ): void => {
    const v1Index = hasV1(v1Name);
    if (v1Index !== -1) {
      const writes = planV1();
      if (writes.length > 0) add(v1Index, v1Name, writes);
      return;
    }
    // What v2 has no field for is refused by that reason first; a controller that is missing may be enabled.
    const writes = v2Name === undefined || unified === -1 ? planV1() : planV2();
    const [first] = writes;
    if (first === undefined) return;
    if (v2Name === undefined) {
      throw new UnsupportedConfigError(
        first.field,
        `it needs the v1 controller ${v1Name}, of which no hierarchy is mounted`,
      );
    }
    if (!hasV2(v2Name)) throw noController(first.field, v2Name);
    add(unified, v2Name, writes);
  };

  const { memory, cpu, pids, blockIO, hugepageLimits, network, rdma } = resources;
  if (cpu) {
    plan(['cpuset', 'cpuset'], () => planCpuset(cpu));
    plan(
      ['cpu', 'cpu'],
      () => planCpuV1(cpu),
      () => planCpuV2(cpu, current),
    );
  }
  if (memory) {
    plan(
      ['memory', 'memory'],
      () => planMemoryV1(memory),
      () => planMemoryV2(memory, current),
    );
  }
  if (pids) plan(['pids', 'pids'], () => planPids(pids));
  if (blockIO) {
    plan(
      ['blkio', 'io'],
      () => planBlockIOV1(blockIO),
      () => planBlockIOV2(blockIO),
    );
  }
  if (hugepageLimits) {
    plan(
      ['hugetlb', 'hugetlb'],
      () => planHugepagesV1(hugepageLimits),
      () => planHugepagesV2(hugepageLimits),
    );
  }
  if (network) {
    plan(['net_cls'], () => planNetCls(network));
    plan(['net_prio'], () => planNetPrio(network));
  }
  if (rdma) plan(['rdma', 'rdma'], () => planRdma(rdma));
  for (const write of planUnified(resources.unified ?? {})) {
    const [controller = ''] = write.file.split('.');
    if (unified === -1) {
      throw new UnsupportedConfigError(unifiedField(write.file), 'cgroup v2 is not mounted here');
    }
    if (controller === 'cgroup') plans[unified]!.writes.push(write);
    else if (hasV2(controller)) add(unified, controller, [write]);
    else {
      throw hasV1(controller) === -1
        ? noController(write.field, controller)
        : new UnsupportedConfigError(
            write.field,
            `the ${controller} controller of this host is in a v1 hierarchy`,
          );
    }
  }
  return plans;
}

const noController = (field: string, controller: string): UnsupportedConfigError =>
  new UnsupportedConfigError(
    field,
    `it needs the ${controller} controller, which no cgroup hierarchy that is mounted here has`,
  );

/** Members of `linux.resources` that are planned here or, as `devices`, elsewhere. */
export const knownResources: readonly string[] = [
  'devices',
  'memory',
  'cpu',
  'pids',
  'blockIO',
  'hugepageLimits',
  'network',
  'rdma',
  'unified',
];

/** Whether something other than device rules is asked for. */
export const hasLimits = (resources: OciResources): boolean =>
  knownResources.some((name) => {
    const value = resources[name];
    return (
      name !== 'devices' &&
      typeof value === 'object' &&
      value !== null &&
      Object.keys(value).length > 0
    );
  });
