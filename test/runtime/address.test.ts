import { describe, expect, it } from 'vitest'
import { endpointUrl } from '../../runtime/address.ts'

describe('an endpoint’s URL', () => {
  it.each([
    'https://shop.example.cn/weft',
    'https://SHOP.example.CN/weft',
    'HTTPS://shop.example.cn:443/weft',
    'https://shop.example.cn/a/../weft',
    'https://shop.example.cn/weft#',
    'https://shop.example.cn/weft#events',
    'https://shop.example.cn/weft?',
    'https://shop.example.cn/weft?#',
  ])('%s is one with all that ask for the same page of the same host', (text) => {
    expect(endpointUrl(text)).toBe('https://shop.example.cn/weft')
  })

  it.each(['https://shop.example.cn/weft/', 'https://shop.example.cn/weft?a=', 'https://shop.example.cn/Weft'])(
    '%s is another',
    (text) => {
      expect(endpointUrl(text)).toBe(text)
    },
  )
})
