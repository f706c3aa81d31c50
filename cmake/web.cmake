# The page's files become bytes in the aggregator: nothing is fetched when it runs.
#
# Included by CMakeLists.txt it makes the rules; run by `cmake -P` it writes the source file:
#   cmake -DOUTPUT=page_assets.cc -DWEB=FOLDER -DUPLOT=FOLDER -P web.cmake

if(CMAKE_SCRIPT_MODE_FILE)
  set(arrays "")
  set(table "")
  set(count 0)
  function(embed path type file)
    file(READ "${file}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    set(arrays "${arrays}constexpr unsigned char kBytes${count}[] = {${bytes}};\n" PARENT_SCOPE)
    set(table "${table}    {\"${path}\", \"${type}\", kBytes${count}, sizeof(kBytes${count})},\n" PARENT_SCOPE)
    math(EXPR next "${count} + 1")
    set(count ${next} PARENT_SCOPE)
  endfunction()
  embed("/" "text/html; charset=utf-8" "${WEB}/index.html")
  embed("/app.js" "text/javascript; charset=utf-8" "${WEB}/app.js")
  embed("/charts.js" "text/javascript; charset=utf-8" "${WEB}/charts.js")
  embed("/format.js" "text/javascript; charset=utf-8" "${WEB}/format.js")
  embed("/style.css" "text/css; charset=utf-8" "${WEB}/style.css")
  embed("/icon.svg" "image/svg+xml" "${WEB}/icon.svg")
  embed("/uplot.js" "text/javascript; charset=utf-8" "${UPLOT}/uPlot.iife.min.js")
  embed("/uplot.css" "text/css; charset=utf-8" "${UPLOT}/uPlot.min.css")
  file(WRITE "${OUTPUT}" "// Generated from aggregator/pages/web and npm's uplot.
#include \"aggregator/pages/assets.h\"

namespace weir {
namespace {
${arrays}
constexpr Asset kAssets[] = {
${table}};
}  // namespace

std::span<const Asset> assets() { return kAssets; }

}  // namespace weir
")
  return()
endif()

set(WEIR_UPLOT_DIR "" CACHE PATH "uPlot's dist folder; empty: npm brings the pinned version at build time")
set(web ${CMAKE_SOURCE_DIR}/aggregator/pages/web)
set(node ${CMAKE_BINARY_DIR}/web)

if(WEIR_UPLOT_DIR)
  set(uplot ${WEIR_UPLOT_DIR})
else()
  set(uplot ${node}/node_modules/uplot/dist)
  find_program(WEIR_NPM npm)
  if(NOT WEIR_NPM)
    message(FATAL_ERROR "npm was not found: it brings the page's chart library. Install it (apt install npm, "
                        "dnf install npm), or give uPlot's dist folder with -DWEIR_UPLOT_DIR=FOLDER")
  endif()
  add_custom_command(
    OUTPUT ${uplot}/uPlot.iife.min.js ${uplot}/uPlot.min.css
    COMMAND ${CMAKE_COMMAND} -E make_directory ${node}
    COMMAND ${CMAKE_COMMAND} -E copy ${web}/package.json ${web}/package-lock.json ${node}
    COMMAND ${WEIR_NPM} ci --prefix ${node} --ignore-scripts --no-audit --no-fund --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${uplot}/uPlot.iife.min.js ${uplot}/uPlot.min.css
    DEPENDS ${web}/package.json ${web}/package-lock.json
    COMMENT "Bringing the page's chart library"
    VERBATIM)
endif()

set(page_files index.html app.js charts.js format.js style.css icon.svg)
list(TRANSFORM page_files PREPEND ${web}/)
set(page_assets ${CMAKE_BINARY_DIR}/generated/page_assets.cc)
add_custom_command(
  OUTPUT ${page_assets}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${page_assets} -DWEB=${web} -DUPLOT=${uplot} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${page_files} ${uplot}/uPlot.iife.min.js ${uplot}/uPlot.min.css ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the page"
  VERBATIM)
target_sources(weir_pages PRIVATE ${page_assets})
