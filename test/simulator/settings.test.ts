import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { startSimulator } from '../../simulator/main.ts'
import { SettingsError, completeSettings, settingsFromEnvironment } from '../../simulator/settings.ts'
import { endWithThisProcess } from '../stage/guard.ts'
import { until } from '../stage/until.ts'

describe('the settings', () => {
  it('are read from the environment, each by its name', () => {
    const settings = settingsFromEnvironment({
      SIMULATOR_PORT: '8801',
      SIMULATOR_TIME_SCALE: '60',
      SIMULATOR_PLACE_MISMATCH: 'OUT_TRADE_NO_USED',
      SIMULATOR_CERTIFICATES_RATE: 'null',
      SIMULATOR_DATA_DIR: '123',
      SIMULATOR_HOST: '',
      PORT: '1',
    })
    expect(settings).toMatchObject({
      port: 8801,
      time_scale: 60,
      place_mismatch: 'OUT_TRADE_NO_USED',
      certificates_rate: null,
      data_dir: '123',
      host: '127.0.0.1',
    })
  })

  it('that cannot be used are told, one line each', () => {
    const environment = { SIMULATOR_PORT: 'many', SIMULATOR_PROBE_RATE: '2' }
    expect(() => settingsFromEnvironment(environment)).toThrow(SettingsError)
    expect(() => settingsFromEnvironment(environment)).toThrow(/^port: .+\nprobe_rate: .+$/)
  })

  it('have the defaults that docs/wechat-pay.md §8 decides', () => {
    expect(completeSettings({})).toMatchObject({
      place_mismatch: 'INVALID_REQUEST',
      place_paid: 'ORDERPAID',
      close_paid: 'ORDER_PAID',
      close_unknown: 'no_content',
      close_early: 'allow',
      time_expire_days: 7,
      too_many_code: 'FREQUENCY_LIMITED',
      notify_deliveries: 'first_and_15',
      unauthorized_request_id: 'absent',
      nonce_replay: 'accept',
      refund_too_soon: 'FREQUENCY_LIMITED',
      refund_spacing_ms: 60_000,
      refund_overdue: 'TRADE_OVERDUE',
      refund_reentry: 'amounts',
      refund_shown: 'at_acceptance',
      refund_without_url: 'nothing',
      bill_unmade: 'STATEMENT_CREATING',
      bill_too_early: 'INVALID_REQUEST',
      closed_refund_fee: 'kept_back',
      bill_link_ms: 300_000,
      fund_flow_bill_rate: 3,
      refund_rate: 150,
      refund_failing_rate: 6,
      query_refund_rate: 300,
      abnormal_refund_rate: 150,
    })
  })
})

describe('a simulator', () => {
  it('that finds its port taken says so', async () => {
    const first = await startSimulator({ port: 0 })
    const port = Number(new URL(first.url).port)
    await expect(startSimulator({ port })).rejects.toThrow(/EADDRINUSE/)
    await first.close()
  })

  it('stands alone in a process of its own, and ends on a signal', async () => {
    const data_dir = mkdtempSync(join(tmpdir(), 'simulator-'))
    const main = fileURLToPath(new URL('../../simulator/main.ts', import.meta.url))
    const tsx = createRequire(import.meta.url).resolve('tsx')
    const child = spawn(process.execPath, ['--import', tsx, main], {
      env: { PATH: process.env['PATH'], SIMULATOR_PORT: '0', SIMULATOR_DATA_DIR: data_dir },
    })
    endWithThisProcess(child)
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)))
    const url = await until('it says its address', () => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0])
    expect((await fetch(`${url}/v3/certificates`)).status).toBe(401)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    rmSync(data_dir, { recursive: true })
  })
})
