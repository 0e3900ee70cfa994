CREATE MACRO fen(yuan) AS CAST(CAST(yuan AS DECIMAL(18, 2)) * 100 AS BIGINT);
CREATE TABLE lines AS SELECT row_number() OVER () AS line, piece, string_split(piece, ',`') AS c FROM (
  SELECT unnest(string_split(split_part(content, E'\r\n总', 1), E'\r\n`')[2:]) AS piece FROM read_text(getvariable('bill')));
CREATE TABLE sound AS SELECT line FROM lines WHERE len(c) = 27 AND regexp_full_match(c[1], '\d{4}-\d\d-\d\d +\d\d:\d\d:\d\d')
  AND len(list_filter([c[13], c[17], c[25], c[26]], x -> regexp_full_match(x, '\d+(\.\d{1,2})?'))) = 4;
CREATE TABLE bill AS SELECT line, c[10] = 'REFUND' AS back, c[10] = 'REVOKED' AS reversal, c[2] AS appid, c[6] AS payment,
  c[7] AS number, if(back, c[15], c[6]) AS id, if(back, c[16], c[7]) AS no, c[20] AS status, c[12] AS currency,
  fen(if(back OR reversal, c[26], c[25])) AS total, fen(if(back OR reversal, c[17], c[13])) AS settled,
  row_number() OVER (PARTITION BY back, reversal, id ORDER BY line) AS nth FROM lines SEMI JOIN sound USING (line);
CREATE TABLE ours AS SELECT kind = 'refund' AS back, appid, transaction_id AS payment, out_trade_no AS number, state, currency,
  if(back, refund_id, transaction_id) AS id, if(back, out_refund_no, out_trade_no) AS no,
  if(back, refund, total) AS total, if(back, settlement_refund, settled_total) AS settled
  FROM read_json_auto(getvariable('records'), sample_size = -1);
CREATE TABLE bill_alone AS SELECT * FROM bill b WHERE nth = 1 AND NOT reversal
  AND NOT EXISTS (FROM ours o WHERE o.back = b.back AND o.id = b.id);
CREATE TABLE ours_alone AS SELECT * FROM ours o WHERE NOT EXISTS (FROM bill b WHERE o.back = b.back AND o.id = b.id);
CREATE TABLE pairs AS SELECT b.back, b.id AS bill_id, o.id AS our_id, CASE
    WHEN b.id <> o.id OR b.no <> o.no OR b.payment <> o.payment OR b.number <> o.number OR b.appid <> o.appid AND NOT b.back
      THEN 'number'
    WHEN b.total <> o.total OR b.settled <> o.settled OR b.currency <> o.currency AND NOT b.back THEN 'amount'
    WHEN b.reversal OR b.back AND b.status <> 'SUCCESS' THEN 'state' END AS kind
  FROM (SELECT b, o FROM bill b JOIN ours o ON b.nth = 1 AND b.back = o.back AND b.id = o.id
    UNION ALL SELECT b, o FROM bill_alone b JOIN ours_alone o ON b.back = o.back AND b.no = o.no);
SELECT if(back, 'refund_', '') || kind AS kind, bill_id, our_id FROM pairs WHERE kind IS NOT NULL
UNION ALL SELECT if(back, 'refund_', '') || 'missing_here', id, '' FROM bill_alone b
  WHERE number IN (SELECT unnest(getvariable('orders'))) AND NOT EXISTS (FROM pairs p WHERE p.back = b.back AND p.bill_id = b.id)
UNION ALL SELECT if(back, 'refund_', '') || 'missing_there', '', id FROM ours_alone o
  WHERE NOT EXISTS (FROM pairs p WHERE p.back = o.back AND p.our_id = o.id)
UNION ALL SELECT 'duplicate', b.id, coalesce(o.id, '') FROM bill b LEFT JOIN ours o USING (back, id) WHERE nth > 1
UNION ALL SELECT 'malformed', regexp_extract(piece, '4200\d{24}'), '' FROM lines ANTI JOIN sound USING (line);
