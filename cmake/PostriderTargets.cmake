# How a folder of Postrider becomes a target: strict warnings on our own code, includes from the
# top of the tree, sources listed by hand.

function(postrider_options target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
    -Wswitch -Werror=switch -Werror=return-type -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Warns of nonsense inside std::string with g++ 12 (its bug 105651).
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(${target} PRIVATE -Wthread-safety -Werror)
  endif()
  if(POSTRIDER_SANITIZE)
    # A finding of UBSan ends the program, as one of the others does.
    target_compile_options(${target} PUBLIC
      -fsanitize=${POSTRIDER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${POSTRIDER_SANITIZE})
    if(POSTRIDER_SANITIZE STREQUAL "thread")
      target_link_libraries(${target} PUBLIC postrider_absl_calls)
    endif()
  endif()
endfunction()

# postrider_library(NAME SOURCES a.cc b.h ... [PUBLIC deps ...] [PRIVATE deps ...])
function(postrider_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  postrider_options(${name})
endfunction()

# postrider_program(NAME SOURCES ... DEPS ...)
function(postrider_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  postrider_options(${name})
endfunction()

# postrider_test(NAME SOURCES ... DEPS ... [TIMEOUT seconds] [LABELS ...]): one gtest program,
# one ctest entry.
function(postrider_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(POSTRIDER_SANITIZE)
    math(EXPR ARG_TIMEOUT "3 * ${ARG_TIMEOUT}")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  postrider_options(${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
