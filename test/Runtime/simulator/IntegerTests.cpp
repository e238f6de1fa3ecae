//===- IntegerTests.cpp - Instructions on integers and bits ---------------===//
//
// The functions of the host say what an instruction means in the plainest way.
//
//===----------------------------------------------------------------------===//

#include "Lanewise.h"

#include <algorithm>
#include <limits>

namespace dsrt::test {

using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s32 = int32_t;
using s64 = int64_t;
using Wide = __int128;

static void testArithmetic() {
  checkLanewise<u32, u32, u32>("add.u32 %r, %a, %b;",
                               [](u32 a, u32 b) { return a + b; });
  checkLanewise<u64, u64, u64>("add.s64 %r, %a, %b;",
                               [](u64 a, u64 b) { return a + b; });
  checkLanewise<u16, u16, u16>("add.s16 %r, %a, %b;",
                               [](u16 a, u16 b) { return u16(a + b); });
  checkLanewise<u32, u32>("add.s32 %r, %a, -5;", [](u32 a) { return a - 5; });
  checkLanewise<s32, s32, s32>("add.sat.s32 %r, %a, %b;", [](s64 a, s64 b) {
    return s32(std::clamp<s64>(a + b, INT32_MIN, INT32_MAX));
  });
  checkLanewise<s32, s32, s32>("sub.sat.s32 %r, %a, %b;", [](s64 a, s64 b) {
    return s32(std::clamp<s64>(a - b, INT32_MIN, INT32_MAX));
  });
  checkLanewise<u32, u32, u32>("sub.s32 %r, %a, %b;",
                               [](u32 a, u32 b) { return a - b; });
  checkLanewise<u32, u32, u32>("mul.lo.s32 %r, %a, %b;",
                               [](u32 a, u32 b) { return a * b; });
  checkLanewise<u16, u16, u16>("mul.lo.s16 %r, %a, %b;",
                               [](u32 a, u32 b) { return u16(a * b); });
  checkLanewise<u64, u64, u64>("mul.lo.u64 %r, %a, %b;",
                               [](u64 a, u64 b) { return a * b; });
  checkLanewise<u32, u32, u32>("mul.hi.u32 %r, %a, %b;",
                               [](u64 a, u64 b) { return u32(a * b >> 32); });
  checkLanewise<s32, s32, s32>("mul.hi.s32 %r, %a, %b;",
                               [](s64 a, s64 b) { return s32(a * b >> 32); });
  checkLanewise<s64, s64, s64>("mul.hi.s64 %r, %a, %b;", [](s64 a, s64 b) {
    return s64(Wide(a) * Wide(b) >> 64);
  });
  checkLanewise<u64, u64, u64>("mul.hi.u64 %r, %a, %b;", [](u64 a, u64 b) {
    return u64((unsigned __int128)a * b >> 64);
  });
  checkLanewise<u64, u32, u32>("mul.wide.u32 %r, %a, %b;",
                               [](u64 a, u64 b) { return a * b; });
  checkLanewise<s64, s32, s32>("mul.wide.s32 %r, %a, %b;",
                               [](s64 a, s64 b) { return a * b; });
  checkLanewise<s32, int16_t, int16_t>("mul.wide.s16 %r, %a, %b;",
                                       [](s32 a, s32 b) { return a * b; });
  checkLanewise<u32, u32, u32, u32>(
      "mad.lo.s32 %r, %a, %b, %c;",
      [](u32 a, u32 b, u32 c) { return a * b + c; });
  checkLanewise<s32, s32, s32, s32>(
      "mad.hi.s32 %r, %a, %b, %c;",
      [](s64 a, s64 b, s32 c) { return s32(u32(a * b >> 32) + u32(c)); });
  checkLanewise<u64, u32, u32, u64>(
      "mad.wide.u32 %r, %a, %b, %c;",
      [](u64 a, u64 b, u64 c) { return a * b + c; });
  checkLanewise<u32, u32, u32>(
      "div.u32 %r, %a, %b;", [](u32 a, u32 b) { return b ? a / b : ~u32(0); });
  checkLanewise<s32, s32, s32>(
      "div.s32 %r, %a, %b;", [](s64 a, s64 b) { return b ? s32(a / b) : -1; });
  checkLanewise<s32, s32, s32>("rem.s32 %r, %a, %b;", [](s64 a, s64 b) {
    return b ? s32(a % b) : s32(a);
  });
  checkLanewise<u64, u64, u64>("rem.u64 %r, %a, %b;",
                               [](u64 a, u64 b) { return b ? a % b : a; });
  checkLanewise<s64, s64, s64>("min.s64 %r, %a, %b;",
                               [](s64 a, s64 b) { return std::min(a, b); });
  checkLanewise<u32, u32, u32>("max.u32 %r, %a, %b;",
                               [](u32 a, u32 b) { return std::max(a, b); });
  checkLanewise<int16_t, int16_t, int16_t>(
      "max.s16 %r, %a, %b;",
      [](int16_t a, int16_t b) { return std::max(a, b); });
  checkLanewise<u32, u32>("neg.s32 %r, %a;", [](u32 a) { return -a; });
  checkLanewise<u64, s64>("abs.s64 %r, %a;",
                          [](s64 a) { return a < 0 ? -u64(a) : u64(a); });
}

static u32 funnel(u32 low, u32 high, u32 count) {
  return count >= 32 ? high : u32((u64(high) << 32 | low) >> count);
}

static void testLogic() {
  checkLanewise<u32, u32, u32>("and.b32 %r, %a, %b;",
                               [](u32 a, u32 b) { return a & b; });
  checkLanewise<u16, u16, u16>("or.b16 %r, %a, %b;",
                               [](u16 a, u16 b) { return u16(a | b); });
  checkLanewise<u64, u64, u64>("xor.b64 %r, %a, %b;",
                               [](u64 a, u64 b) { return a ^ b; });
  checkLanewise<u32, u32>("not.b32 %r, %a;", [](u32 a) { return ~a; });
  checkLanewise<u32, u32>("cnot.b32 %r, %a;", [](u32 a) { return u32(!a); });
  checkLanewise<u32, u32, u32>(
      "shl.b32 %r, %a, %b;", [](u32 a, u32 b) { return b < 32 ? a << b : 0; });
  checkLanewise<u16, u16, u32>("shl.b16 %r, %a, %b;", [](u16 a, u32 b) {
    return u16(b < 16 ? a << b : 0);
  });
  checkLanewise<u64, u64, u32>(
      "shr.u64 %r, %a, %b;", [](u64 a, u32 b) { return b < 64 ? a >> b : 0; });
  checkLanewise<s32, s32, u32>("shr.s32 %r, %a, %b;", [](s32 a, u32 b) {
    return a >> std::min(b, 31u);
  });
  checkLanewise<u32, u32, u32, u32>(
      "shf.r.wrap.b32 %r, %a, %b, %c;",
      [](u32 a, u32 b, u32 c) { return funnel(a, b, c & 31); });
  checkLanewise<u32, u32, u32, u32>(
      "shf.r.clamp.b32 %r, %a, %b, %c;",
      [](u32 a, u32 b, u32 c) { return funnel(a, b, std::min(c, 32u)); });
  checkLanewise<u32, u32, u32, u32>(
      "shf.l.wrap.b32 %r, %a, %b, %c;",
      [](u32 a, u32 b, u32 c) { return funnel(a, b, 32 - (c & 31)); });
  checkLanewise<u32, u32, u32, u32>(
      "lop3.b32 %r, %a, %b, %c, 0xca;",
      [](u32 a, u32 b, u32 c) { return (a & b) | (~a & c); });
  checkLanewise<u32, u32, u32>(
      "prmt.b32 %r, %a, %b, 0x5410;",
      [](u32 a, u32 b) { return (a & 0xffff) | b << 16; });
  checkLanewise<u32, u32, u32>(
      "prmt.b32 %r, %a, %b, 0xf72b;", [](u32 a, u32 b) {
        u32 sign3 = a >> 31 ? 0xff : 0;
        u32 sign7 = b >> 31 ? 0xff : 0;
        return sign3 | (a & 0xff0000) >> 8 | b >> 24 << 16 | sign7 << 24;
      });
  checkLanewise<u32, u32>("brev.b32 %r, %a;", [](u32 a) {
    u32 reversed = 0;
    for (int bit = 0; bit < 32; ++bit)
      reversed |= (a >> bit & 1) << (31 - bit);
    return reversed;
  });
}

static void testFields() {
  auto field = [](u64 a, u32 position, u32 length, int width, bool isSigned) {
    u64 result = 0;
    u32 first = position & 255, count = length & 255;
    u64 sign = isSigned && count
                   ? a >> std::min<u32>(first + count - 1, width - 1) & 1
                   : 0;
    for (u32 bit = 0; bit < u32(width); ++bit) {
      bool inside = bit < count && first + bit < u32(width);
      result |= (inside ? a >> (first + bit) & 1 : sign) << bit;
    }
    return result;
  };
  checkLanewise<u32, u32, u32, u32>(
      "bfe.u32 %r, %a, %b, %c;",
      [&](u32 a, u32 b, u32 c) { return u32(field(a, b, c, 32, false)); });
  checkLanewise<u32, u32, u32, u32>(
      "bfe.s32 %r, %a, %b, %c;",
      [&](u32 a, u32 b, u32 c) { return u32(field(a, b, c, 32, true)); });
  checkLanewise<u64, u64, u32, u32>(
      "bfe.s64 %r, %a, %b, %c;",
      [&](u64 a, u32 b, u32 c) { return field(a, b, c, 64, true); });
  checkLanewise<u32, u32, u32, u32>(
      "bfi.b32 %r, %a, %b, %c, 7;", [](u32 a, u32 b, u32 c) {
        u32 result = b;
        for (u32 bit = 0; bit < 7 && (c & 255) + bit < 32; ++bit) {
          u32 place = (c & 255) + bit;
          result &= ~(1u << place);
          result |= (a >> bit & 1) << place;
        }
        return result;
      });
  checkLanewise<u32, u64>("popc.b64 %r, %a;", [](u64 a) {
    u32 count = 0;
    for (; a; a >>= 1)
      count += a & 1;
    return count;
  });
  checkLanewise<u32, u32>("clz.b32 %r, %a;", [](u32 a) {
    u32 count = 0;
    while (count < 32 && !(a >> (31 - count) & 1))
      ++count;
    return count;
  });
  checkLanewise<u32, s32>("bfind.s32 %r, %a;", [](s32 a) {
    u32 bits = a < 0 ? ~a : a, place = ~0u;
    for (u32 bit = 0; bit < 32; ++bit)
      if (bits >> bit & 1)
        place = bit;
    return place;
  });
}

static void testComparisons() {
  checkLanewise<u32, s32, s32>(
      "setp.lt.s32 %p0, %a, %b;\nselp.b32 %r, 1, 2, %p0;",
      [](s32 a, s32 b) { return u32(a < b ? 1 : 2); });
  checkLanewise<u32, u32, u32>(
      "setp.hs.u32 %p0, %a, %b;\nselp.b32 %r, %a, %b, %p0;",
      [](u32 a, u32 b) { return std::max(a, b); });
  checkLanewise<u16, u16, u16>(
      "setp.eq.b16 %p0, %a, %b;\nselp.b16 %r, 7, 9, %p0;",
      [](u16 a, u16 b) { return u16(a == b ? 7 : 9); });
  checkLanewise<u32, s64, s64>(
      "setp.ge.s64 %p0|%p1, %a, %b;\nselp.b32 %t0, 1, 0, %p0;\n"
      "selp.b32 %t1, 2, 0, %p1;\nor.b32 %r, %t0, %t1;",
      [](s64 a, s64 b) { return u32(a >= b ? 1 : 2); });
  checkLanewise<u32, u32, u32, u32>(
      "setp.gt.u32 %p0, %a, %b;\nsetp.lt.and.u32 %p1|%p2, %b, %c, !%p0;\n"
      "selp.b32 %t0, 1, 0, %p1;\nselp.b32 %t1, 2, 0, %p2;\n"
      "or.b32 %r, %t0, %t1;",
      [](u32 a, u32 b, u32 c) {
        bool other = !(a > b);
        return u32(b < c && other) + 2 * u32(!(b < c) && other);
      });
  checkLanewise<u32, s32, s32>("set.le.u32.s32 %r, %a, %b;",
                               [](s32 a, s32 b) { return a <= b ? ~0u : 0; });
  checkLanewise<u32, u32, u32, s32>(
      "slct.b32.s32 %r, %a, %b, %c;",
      [](u32 a, u32 b, s32 c) { return c >= 0 ? a : b; });
  checkLanewise<u32, u32, u32>(
      "setp.gt.u32 %p0, %a, 100;\nsetp.ne.b32 %p1, %b, 0;\n"
      "xor.pred %p2, %p0, %p1;\nnot.pred %p2, %p2;\nor.pred %p2, %p2, %p0;\n"
      "mov.u32 %r, 5;\n@%p2 mov.u32 %r, 6;\n@!%p1 add.u32 %r, %r, 10;",
      [](u32 a, u32 b) {
        bool p0 = a > 100, p1 = b != 0, p2 = (p0 == p1) || p0;
        return u32(p2 ? 6 : 5) + (p1 ? 0 : 10);
      });
}

static void testResizing() {
  checkLanewise<s64, s32>("cvt.s64.s32 %r, %a;", [](s32 a) { return s64(a); });
  checkLanewise<u64, u32>("cvt.u64.u32 %r, %a;", [](u32 a) { return u64(a); });
  checkLanewise<u32, u64>("cvt.u32.u64 %r, %a;", [](u64 a) { return u32(a); });
  checkLanewise<s32, u32>("cvt.s32.s8 %r, %a;",
                          [](u32 a) { return s32(int8_t(a)); });
  checkLanewise<u16, u32>("cvt.u16.u32 %r, %a;", [](u32 a) { return u16(a); });
  checkLanewise<u32, s32>("cvt.sat.u8.s32 %r, %a;", [](s32 a) {
    return u32(std::clamp<s32>(a, 0, 255));
  });
  checkLanewise<s32, s64>("cvt.sat.s32.s64 %r, %a;", [](s64 a) {
    return s32(std::clamp<s64>(a, INT32_MIN, INT32_MAX));
  });
}

void testIntegers() {
  testArithmetic();
  testLogic();
  testFields();
  testComparisons();
  testResizing();
}

} // namespace dsrt::test
