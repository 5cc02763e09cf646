-- Posts samples to any target: a pool of features from a file, and for every request an id that was never there.
-- Arguments: pool file, prefix of the ids, value of the Authorization header ("" for none). All requests have one length.
-- One concatenation and one number to text a request, so that wrk stays far from being the bottleneck.

local heads, tails, count, prefix, number = {}, {}, 0, "", 0

function init(args)
  prefix = args[2]
  local authorization = (args[3] or "") ~= "" and ("Authorization: " .. args[3] .. "\r\n") or ""
  for features in io.lines(args[1]) do
    local tail = '","features":' .. features .. "}"
    local length = #'{"id":"' + #prefix + 9 + #tail
    count = count + 1
    heads[count] = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.headers["Host"]
      .. "\r\n" .. authorization .. "Content-Type: application/json\r\nContent-Length: " .. length
      .. '\r\n\r\n{"id":"' .. prefix
    tails[count] = tail
  end
  number = 100000000
end

function request()
  number = number + 1
  local at = number % count + 1
  return heads[at] .. number .. tails[at]
end

function done(summary, latency)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format('\n{"requests": %d, "seconds": %.6f, "refused": %d, "failed": %d, "p50": %.6f, "p99": %.6f}\n',
    summary.requests, summary.duration / 1e6, summary.errors.status, failed,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
