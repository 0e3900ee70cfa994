import { describe, expect, it } from 'vitest'
import { readFulfilmentAnswer } from '../../../domain/event/answer.ts'

describe('a fulfilment answer', () => {
  it.each([
    [200, '{"fulfilment":"fulfilled"}', { result: 'fulfilled', reason: null }],
    [200, '{"fulfilment":"pending"}', { result: 'pending', reason: null }],
    [200, '{"fulfilment":"refused","reason":"sold out"}', { result: 'refused', reason: 'sold out' }],
    [202, '{"fulfilment":"fulfilled"}', { result: 'fulfilled', reason: null }],
    [202, '', { result: 'pending', reason: null }],
    [202, 'accepted', { result: 'pending', reason: null }],
    [200, '', { result: 'fulfilled', reason: null }],
    [204, '', { result: 'fulfilled', reason: null }],
    [200, '<html>ok</html>', { result: 'fulfilled', reason: null }],
    [200, '{"fulfilment":"shipped?"}', { result: 'fulfilled', reason: null }],
    [200, 'null', { result: 'fulfilled', reason: null }],
  ])('%i %s is read by what the body decides, else by the status', (status, body, answer) => {
    expect(readFulfilmentAnswer(status, body)).toEqual(answer)
  })

  it.each([199, 301, 400, 409, 410, 422, 500, 503])('%i is no answer, whatever the body says', (status) => {
    expect(readFulfilmentAnswer(status, '{"fulfilment":"fulfilled"}')).toBeNull()
  })

  it('too long to be read is no answer: it might refuse', () => {
    expect(readFulfilmentAnswer(200, null)).toBeNull()
  })
})
