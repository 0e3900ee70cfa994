import type { ShopLanguage } from './words.ts'

export interface Tea {
  id: string
  name: Record<ShopLanguage, string>
  note: Record<ShopLanguage, string>
  /** fen */
  price: number
  /** of the cup, as CSS writes it */
  colour: string
}

export const teas: readonly Tea[] = [
  {
    id: 'longjing',
    name: { 'zh-CN': '西湖龙井', en: 'West Lake Longjing' },
    note: { 'zh-CN': '明前 · 50 克 · 豆香清鲜', en: 'Before Qingming · 50 g · fresh, of chestnut' },
    price: 12_800,
    colour: '#b7c46a',
  },
  {
    id: 'tieguanyin',
    name: { 'zh-CN': '安溪铁观音', en: 'Anxi Tieguanyin' },
    note: { 'zh-CN': '清香型 · 100 克 · 兰花香', en: 'Light roast · 100 g · of orchids' },
    price: 8_800,
    colour: '#d9c069',
  },
  {
    id: 'dianhong',
    name: { 'zh-CN': '凤庆滇红', en: 'Fengqing Dianhong' },
    note: { 'zh-CN': '金芽 · 100 克 · 蜜香甜润', en: 'Golden buds · 100 g · honey, smooth' },
    price: 6_600,
    colour: '#b4572c',
  },
  {
    id: 'sample',
    name: { 'zh-CN': '尝一口', en: 'One sip' },
    note: { 'zh-CN': '随手一泡 · 5 克 · 试试付款', en: 'A single brew · 5 g · to try the payment' },
    price: 1,
    colour: '#8fa876',
  },
]
