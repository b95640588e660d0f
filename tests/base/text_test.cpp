// UTF-8, escaping for messages, and the grammar of paths.
#include "base/text.hpp"

#include "base/path.hpp"

#include <ckpt/limits.hpp>

#include <catch2/catch.hpp>

#include <string>

using namespace ckpt::base;

TEST_CASE("UTF-8 is told from what is not") {
  for (const char* good : {"", "a", "\xc2\x80", "\xc3\xa9", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xf0\x9f\x90\xbb/x"}) {
    INFO(escape(good));
    CHECK(is_utf8(good));
  }
  for (const char* bad : {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf", "\xe2\x82",
                          "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x90", "\xf4\x90\x80\x80",
                          "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "a\xff"}) {
    INFO(escape(bad));
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("a character that was cut in two is told from a whole one") {
  for (const char* whole : {"", "a", "ab", "\xc3\xa9", "\xe2\x82\xac", "a\xf0\x9f\x90\xbb"}) {
    CAPTURE(whole);
    CHECK(size_of_whole_characters(whole) == std::string{whole}.size());
  }
  for (const char* part : {"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f", "\xf0\x9f\x90"}) {
    CAPTURE(part);
    CHECK(size_of_whole_characters(part) == 0);
    CHECK(size_of_whole_characters(std::string{"a\xc3\xa9"} + part) == 3);
  }
  CHECK(size_of_whole_characters("\x80\x80\x80\x80\x80") == 5);  // what is no UTF-8 stays as it is
}

TEST_CASE("what could deceive a terminal or a log is escaped") {
  CHECK(escape("net/l1/kernel") == "net/l1/kernel");
  CHECK(escape("\xc3\xa4") == "\xc3\xa4");
  CHECK(escape("a\nb") == "a\\x0ab");
  CHECK(escape(std::string{"a\0b", 3}) == "a\\x00b");
  CHECK(escape("\x1b[31m") == "\\x1b[31m");
  CHECK(escape("a\\b") == "a\\x5cb");
  CHECK(escape("\x7f") == "\\x7f");
  CHECK(escape("\xff") == "\\xff");
  CHECK(escape("\xc3") == "\\xc3");
  CHECK(escape("\xc2\x9b") == "\\u{9b}");  // a control sequence introducer in one character
  CHECK(escape("\xe2\x80\xae"
               "txt") == "\\u{202e}txt");        // right-to-left override
  CHECK(escape("\xe2\x80\x8b") == "\\u{200b}");  // zero width
}

TEST_CASE("a long text is cut, and its length is told") {
  const std::string text = escape(std::string(5000, 'x'));
  CHECK(text.size() < 300);
  CHECK(text.find("5000 bytes") != std::string::npos);
  CHECK(escape(std::string(200, 'x')) == std::string(200, 'x'));
}

// A character more or less decides which bytes are looked at together.
TEST_CASE("a path is judged the same wherever its characters stand") {
  const auto is_path = [](const std::string& path) {  // ASCII only
    std::string name;
    for (const char c : path + '/') {
      if (c != '/') {
        if (c < 0x20 || c == 0x7f) return false;
        name += c;
        continue;
      }
      if (name.empty() || name == "." || name == "..") return false;
      name.clear();
    }
    return true;
  };
  for (std::size_t size = 1; size <= 18; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string path(size, 'n');
      std::size_t wrong = 0;
      for (int first = 0; first < 0x80; ++first) {
        path[at] = static_cast<char>(first);
        wrong += is_path(path) != (why_not_a_path(path) == nullptr) ? 1U : 0U;
        for (const char second : {'/', '.', 'n', '~', ' '}) {
          std::string two = path;
          if (at + 1 < size) two[at + 1] = second;
          wrong += is_path(two) != (why_not_a_path(two) == nullptr) ? 1U : 0U;
          if (at + 2 < size) two[at + 2] = '/';
          wrong += is_path(two) != (why_not_a_path(two) == nullptr) ? 1U : 0U;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("numbers in hexadecimal") {
  CHECK(hex(0) == "0x0");
  CHECK(hex(0x1f40) == "0x1f40");
  CHECK(hex(~std::uint64_t{0}) == "0xffffffffffffffff");
  CHECK(hex16(0) == "0000000000000000");
  CHECK(hex16(0xabc) == "0000000000000abc");
}

TEST_CASE("paths are names joined by single slashes") {
  const std::string longest(ckpt::kMaxPathBytes, 'n');
  for (const std::string& good :
       {std::string{"a"}, std::string{"a/b/c"}, std::string{"a b"}, std::string{"..."}, std::string{".a"},
        std::string{"a\\b"}, std::string{"\xc3\xa4/\xf0\x9f\x90\xbb"}, std::string{"C:"}, longest}) {
    INFO(escape(good));
    CHECK(why_not_a_path(good) == nullptr);
  }
  for (const std::string& bad :
       {std::string{}, std::string{"/"}, std::string{"/a"}, std::string{"a/"}, std::string{"a//b"}, std::string{"."},
        std::string{".."}, std::string{"a/../b"}, std::string{"a/."}, std::string{"a\tb"}, std::string{"a\0b", 3},
        std::string{"\x7f"}, std::string{"a\xc2\x80"}, std::string{"\xff"}, longest + "n"}) {
    INFO(escape(bad));
    CHECK(why_not_a_path(bad) != nullptr);
  }
  CHECK(why_not_a_name("kernel") == nullptr);
  CHECK(why_not_a_name("a/b") != nullptr);
  CHECK(why_not_a_name(".") != nullptr);
  CHECK(why_not_a_name("..") != nullptr);
  CHECK(why_not_a_name("") != nullptr);
  CHECK(why_not_a_key("any key: a/b/..") == nullptr);
  CHECK(why_not_a_key("") != nullptr);
  CHECK(why_not_a_key("a\nb") != nullptr);
}
