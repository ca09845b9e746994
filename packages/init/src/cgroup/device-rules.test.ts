import { describe, expect, it } from 'vitest';
import { planDeviceRules } from './device-rules.ts';
import { formatRule } from './devices-v1.ts';

describe('planDeviceRules', () => {
  it('planDeviceRules adds to the stock rule what the default devices need', () => {
    const lines = planDeviceRules([{ allow: false, access: 'rwm' }]).map(
      (rule) => `${rule.allow ? 'allow' : 'deny'} ${formatRule(rule)}`,
    );
    expect(lines).toEqual([
      'deny a',
      'allow c *:* m',
      'allow b *:* m',
      'allow c 1:3 rwm',
      'allow c 1:5 rwm',
      'allow c 1:7 rwm',
      'allow c 1:8 rwm',
      'allow c 1:9 rwm',
      'allow c 5:0 rwm',
      'allow c 5:2 rwm',
      'allow c 136:* rwm',
    ]);
  });

  it('planDeviceRules splits a rule for every type that names less than everything', () => {
    const own = (rules: Parameters<typeof planDeviceRules>[0]): string[] =>
      planDeviceRules(rules)
        .slice(0, -10)
        .map((rule) => formatRule(rule));
    expect(own([{ allow: false, type: 'a', access: 'w' }])).toEqual(['b *:* w', 'c *:* w']);
    expect(own([{ allow: true, major: 8 }])).toEqual(['b 8:* rwm', 'c 8:* rwm']);
    expect(own([{ allow: true, type: 'a', major: -1, minor: -1n, access: 'mwr' }])).toEqual(['a']);
    expect(own([{ allow: true, type: 'b', major: 8n, minor: 0, access: '' }])).toEqual([
      'b 8:0 rwm',
    ]);
  });
});
