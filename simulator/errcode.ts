/** The calls of api.weixin.qq.com that say who a payer is: of a page in WeChat, of a mini program. */
export type IdentityOperation = 'access_token' | 'jscode2session'

/** What api.weixin.qq.com says with its numbers; all come with status 200. */
export const errcode_texts = {
  '-1': 'system error',
  '40001': 'invalid credential, access_token is invalid or not latest',
  '40002': 'invalid grant_type',
  '40013': 'invalid appid',
  '40029': 'invalid code',
  '40125': 'invalid appsecret',
  '40163': 'code been used',
  '40164': 'invalid ip, not in whitelist',
  '40226': 'code blocked',
  '41002': 'appid missing',
  '41004': 'appsecret missing',
  '41008': 'missing code',
  '42003': 'code expired',
  '45011': 'api minute-quota reach limit, must slower, retry next minute',
  '48001': 'api unauthorized',
  '50001': 'user unauthorized',
  '50002': 'user limited',
} as const

export type Errcode = keyof typeof errcode_texts

/** The body of an error. As real ones do, it ends with an id of the request. */
export function errorBody(errcode: Errcode): object {
  const [first, second, third] = [randomHex(), randomHex(), randomHex()]
  return { errcode: Number(errcode), errmsg: `${errcode_texts[errcode]}, rid: ${first}-${second}-${third}` }
}

function randomHex(): string {
  return Math.floor(Math.random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
}
