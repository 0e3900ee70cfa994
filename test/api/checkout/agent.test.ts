import { describe, expect, it } from 'vitest'
import { browser_kinds, payerBrowser } from '../../../api/checkout/agent.ts'
import { agents } from '../../browser/agents.ts'

describe('where a page is opened', () => {
  it.each(Object.entries(agents))('is known of %s', (_name, { agent, kind, h5_type }) => {
    expect(payerBrowser(agent)).toEqual({ kind, h5_type })
  })

  it('is shown by a sample of every kind', () => {
    expect(new Set(Object.values(agents).map(({ kind }) => kind))).toEqual(new Set(browser_kinds))
  })

  it('is read from as much of the header as any browser sends, however long it is', () => {
    expect(payerBrowser(`${'x '.repeat(4_000)}MicroMessenger iPhone`)).toEqual({ kind: 'desktop', h5_type: 'Wap' })
  })
})
