import { describe, expect, it } from 'vitest'
import { readAnswer, readAnswerOf, readPurpose } from '../../../domain/event/answer.ts'
import type { EndpointAnswer } from '../../../domain/event/answer.ts'
import { deliverySample } from '../../store/samples.ts'

function answerOf(status: number | null, body: string | null, given: Partial<EndpointAnswer> = {}): EndpointAnswer {
  return { status, body, content_type: null, unreadable: null, ...given }
}

const read = (status: number, body: string | null, given: Partial<EndpointAnswer> = {}) =>
  readAnswer('fulfilment', answerOf(status, body, given))

const json = { content_type: 'application/json; charset=utf-8' }

describe('a fulfilment answer', () => {
  it.each([
    [200, '{"fulfilment":"fulfilled"}', 'fulfilled', null],
    [200, '{"fulfilment":"pending"}', 'pending', null],
    [200, '{"fulfilment":"refused","reason":"sold out"}', 'refused', 'sold out'],
    [
      200,
      '{"fulfilment":"refused","reason":"it said \\"fulfilment\\": twice"}',
      'refused',
      'it said "fulfilment": twice',
    ],
    [202, '{"fulfilment":"fulfilled"}', 'fulfilled', null],
    [202, '', 'pending', null],
    [202, 'accepted', 'pending', null],
    [200, '已发\uFFFD', 'fulfilled', null],
    [200, '\u001b[32mok\u001b[0m', 'fulfilled', null],
    [200, 'ok\u0007', 'fulfilled', null],
    [200, 'ok\u0007\uFFFD', 'fulfilled', null],
    [200, 'Exp\uFFFDdi\uFFFD', 'fulfilled', null],
    [200, '', 'fulfilled', null],
    [204, '', 'fulfilled', null],
    [299, '', 'fulfilled', null],
    [200, 'taken: {42}', 'fulfilled', null],
    [200, '<html>ok</html>', 'fulfilled', null],
    [200, 'null', 'fulfilled', null],
    [200, '{"code":0,"msg":"ok"}', 'fulfilled', null],
  ])('%i %s is read by what the body decides, else by the status', (status, body, read_as, reason) => {
    expect(read(status, body)).toEqual({ read_as, reason, remark: null })
  })

  it('may be empty, whatever it claims to be', () => {
    for (const body of ['', ' \r\n']) expect(read(200, body, json).read_as).toBe('fulfilled')
  })

  it.each([199, 301, 400, 409, 410, 422, 500, 503])('%i is no answer, whatever the body says', (status) => {
    expect(read(status, '{"fulfilment":"fulfilled"}').read_as).toBe('not heard')
  })

  it('that could not be read is no answer: it might refuse', () => {
    const unreadable = 'the body is over 64 KiB'
    expect(read(200, null, { unreadable })).toEqual({ read_as: 'not heard', reason: null, remark: unreadable })
    expect(read(200, null)).toMatchObject({ read_as: 'not heard', remark: 'the body could not be read' })
  })

  it('is kept in as many characters as people read', () => {
    const long = 'x'.repeat(1_000)
    expect(read(200, JSON.stringify({ fulfilment: 'refused', reason: long })).reason).toBe('x'.repeat(200))
    expect(read(200, JSON.stringify({ fulfilment: long })).remark?.length).toBeLessThan(80)
    expect(read(200, JSON.stringify({ error: long })).remark?.length).toBeLessThan(120)
  })

  it.each<[string, string, Partial<EndpointAnswer>]>([
    ['a word that is not known', '{"fulfilment":"REFUSED"}', {}],
    ['a word that is not known', '{"fulfilment":"shipped?"}', {}],
    ['no word', '{"fulfilment":null}', {}],
    ['two words', '{"fulfilment":"refused","fulfilment":"fulfilled"}', {}],
    ['another spelling', '{"Fulfilment":"refused"}', {}],
    ['another spelling', '{"fulfillment":"refused"}', {}],
    ['a word within something else', '{"code":0,"data":{"fulfilment":"refused"}}', {}],
    ['a word within something else', '{"data":{"fulfilment":"pending"}}', {}],
    ['JSON within a text', JSON.stringify('{"fulfilment":"refused"}'), {}],
    ['a form', 'fulfilment=refused&reason=sold+out', { content_type: 'application/x-www-form-urlencoded' }],
    ['a form of escapes', '%66ulfilment=%72efused', { content_type: 'application/x-www-form-urlencoded' }],
    ['a page of entities', '<p>&#102;ulfilment: &quot;refuse&#x64;&quot;</p>', { content_type: 'text/html' }],
    ['letters of full width', '{"ｆｕｌｆｉｌｍｅｎｔ":"ｒｅｆｕｓｅｄ"}', {}],
    ['JSON cut off', '{"fulfilment":"refu', json],
    ['JSON cut off, behind an empty line', '\n {"reason":"sold out","ful', {}],
    ['JSON cut off before its word', '{"reason":"sold out","ful', {}],
    ['two words, one of them in other letters', '{"fulfilment":"refused","fulfil\\u006dent":"fulfilled"}', {}],
    ['a word within something else, in other letters', '{"data":{"fulfil\\u006Dent":"refused"}}', {}],
    ['a refusal in words of its own', 'refused', {}],
    ['a refusal in words of its own', '{"result":"REFUSED"}', json],
    ['letters of two bytes each', '{"fulfilment":"refused"}'.split('').join('\0'), { content_type: 'text/plain' }],
    ['letters of two bytes each, behind a mark', '\uFFFD\uFFFD{\0"\0f\0', { content_type: 'text/plain' }],
    ['packed bytes that nobody named so', '\u001f\uFFFD\b\0\0\0', {}],
    ['packed bytes without a zero', '\u000b\u000b\uFFFDabc', { content_type: 'text/plain' }],
    ['no JSON that claims to be', 'refused', json],
    ['no JSON that claims to be', '<html>', { content_type: 'application/problem+json' }],
  ])('with %s is no answer, and says why: %j', (_, body, given) => {
    const reading = read(200, body, given)
    expect(reading).toMatchObject({ read_as: 'not heard', reason: null })
    expect(reading.remark).toBeTruthy()
  })

  it.each([
    '{"code":500,"msg":"系统异常"}',
    '{"code":"500"}',
    '{"errcode":40001,"errmsg":"invalid"}',
    '{"errno":-1}',
    '{"success":false}',
    '{"success":"false"}',
    '{"ok":false}',
    '{"code":10}',
    '{"code":-1}',
    '{"status":"error"}',
    '{"error":"boom"}',
    '{"code":"FAIL","message":"失败"}',
    '{"return_code":"FAIL"}',
    '{"resultCode":"500"}',
    '{"ret":-1}',
    '{"retcode":1001}',
    '{"status_code":404}',
    '{"isSuccess":false}',
    '{"success":0}',
    '{"Code":500}',
    '{"result":"fail"}',
  ])('%s under 200 is an answer by its status, and is shown as what looks like an error', (body) => {
    const reading = read(200, body, json)
    expect(reading.read_as).toBe('fulfilled')
    expect(reading.remark).toMatch('looks like an error')
  })

  it.each(['fail', 'FAILURE', 'error: no such order', '"fail"'])('%s in plain words, too', (body) => {
    expect(read(200, body).read_as).toBe('fulfilled')
    expect(read(200, body).remark).toMatch('looks like an error')
  })

  it.each([
    '{"code":"SUCCESS"}',
    '{"return_code":"OK"}',
    '{"result":"success"}',
    '{"isSuccess":true}',
    '{"ret":0}',
    '{"encode":5}',
    'success',
  ])('%s is no error', (body) => expect(read(200, body).remark).toBeNull())

  it.each([
    ...['{"code":200}', '{"code":"0"}', '{"code":"00"}', '{"code":20000}', '{"code":"E500"}', '{"code":"500E"}'],
    ...['{"status":"ok"}', '{"status":"no error"}', '{"ok":true}', '{"success":true,"error":null}'],
    ...['{"error":false}', '{"error":""}', '{"error":0}', '[]', '5'],
  ])('%s looks like none', (body) => expect(read(200, body).remark).toBeNull())
})

describe('the answer to a withdrawal', () => {
  const readWithdrawn = (body: string | null) => readAnswer('cancellation', answerOf(200, body)).read_as

  it('only hears it, unless it says that the goods are out', () => {
    expect(['', 'ok', '{"fulfilment":"refused"}'].map(readWithdrawn)).toEqual(['heard', 'heard', 'heard'])
    expect(readWithdrawn('{"fulfilment":"fulfilled"}')).toBe('fulfilled')
  })

  it('that cannot be read has not heard it: it might say that the goods are out', () => {
    expect([null, '{"fulfilment":"FULFILLED"}', '{"fulfil'].map(readWithdrawn)).toEqual(Array(3).fill('not heard'))
  })
})

describe('the answer to a notice', () => {
  it('is its status alone', () => {
    expect(readAnswer('notice', answerOf(200, null, { unreadable: 'sealed' })).read_as).toBe('heard')
    expect(readAnswer('notice', answerOf(500, '')).read_as).toBe('not heard')
  })
})

describe('what a delivery decided', () => {
  const decided = (...read_as: ('fulfilled' | 'refused' | 'heard' | 'not heard')[]) => {
    const attempts = read_as.map((one, place) => ({ read_as: one, reason: `${place}` }))
    return readAnswerOf(deliverySample('TEA-1', 1, { attempts: attempts as never }))
  }

  it('is what its last attempt said that decided anything', () => {
    expect(decided('not heard', 'refused')).toEqual({ result: 'refused', reason: '1' })
    expect(decided('refused', 'fulfilled', 'heard', 'not heard')).toEqual({ result: 'fulfilled', reason: '1' })
    expect([decided(), decided('heard', 'not heard')]).toEqual([null, null])
  })
})

describe('the answer to a ping', () => {
  it('is read as if it decided where it would, and by its status elsewhere', () => {
    expect(readPurpose({ purpose: 'ping' }, { role: 'fulfilment' })).toBe('fulfilment')
    expect(readPurpose({ purpose: 'ping' }, { role: 'observer' })).toBe('notice')
    for (const purpose of ['fulfilment', 'cancellation', 'notice'] as const)
      expect(readPurpose({ purpose }, { role: 'fulfilment' })).toBe(purpose)
  })
})
