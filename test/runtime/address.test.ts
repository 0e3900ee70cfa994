import { describe, expect, it } from 'vitest'
import { addressGroup, endpointUrl, urlObjection } from '../../runtime/address.ts'

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
    'https://shop.example.cn./weft',
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

describe('an address that a merchant names', () => {
  it.each([
    'https://0x7f.1/weft',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://017700000001/',
    'https://127.1/',
    'https://127.0.0.1./',
    'https://\uff11\uff12\uff17.0.0.1/',
    'https://localhost./',
    'https://LOCALHOST/',
    'https://db.internal./',
    'https://redis/',
    'https://0/',
    'https://169.254.169.254/latest/meta-data',
    'https://100.100.100.200/latest/meta-data', // the metadata of Alibaba Cloud
    'https://168.63.129.16/', // and what Azure gives its machines, out of a public range
    'https://192.0.0.192/',
    'https://198.18.0.1/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::7f00:1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[::ffff:0:10.0.0.1]/',
    'https://[64:ff9b::10.0.0.1]/', // NAT64, of the world and of a network's own
    'https://[64:ff9b::8.8.8.8]/',
    'https://[64:ff9b:1::10.0.0.1]/',
    'https://[2002:7f00:1::]/', // 6to4
    'https://[2002:a00:1::1]/',
    'https://[2001:0:7f00:1::1]/', // Teredo
    'https://[2001:db8::1]/',
    'https://[3fff::1]/', // documentation as well
    'https://[5f00::1]/',
    'https://[fd00:ec2::254]/',
    'https://[fec0::1]/',
    'https://[fe80::1]/',
    'https://[ff02::1]/',
    'https://[100::1]/',
    'https://[4000::1]/',
  ])('%s leads inside, however it is written', (text) => {
    expect(urlObjection(text, false)).toBe('its address is private')
  })

  it.each(['https://shop.example.cn./weft', 'https://[2400:3200::1]/', 'https://8.8.8.8/'])('%s may be', (text) => {
    expect(urlObjection(text, false)).toBeNull()
  })
})

describe('who counts as one', () => {
  it.each([
    ['203.0.114.7', '203.0.114.7'],
    ['::ffff:203.0.114.7', '203.0.114.7'],
    ['2400:3200:1:2:3:4:5:6', '2400:3200:1:2::/64'],
    ['2400:3200:1:2::', '2400:3200:1:2::/64'],
    ['2400:3200:1:3::6', '2400:3200:1:3::/64'],
  ])('%s is of %s', (address, group) => {
    expect(addressGroup(address)).toBe(group)
  })
})
