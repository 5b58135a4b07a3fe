package com.example.moods;

import java.io.IOException;

import javax.servlet.annotation.WebServlet;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** Says how it is; takes its time if asked to. */
@WebServlet("")
public class MoodServlet extends HttpServlet {

    private static final long serialVersionUID = 1L;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (getServletContext().getAttribute("ill") != null) {
            throw new IllegalStateException("not today");
        }
        String wait = request.getParameter("wait");
        if (wait != null) {
            try {
                Thread.sleep(Long.parseLong(wait));
            } catch (InterruptedException e) {
                response.sendError(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
                return;
            }
        }
        Object database = getServletContext().getAttribute("database");
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().println(database == null ? "I am well." : "I talk to " + database);
        System.out.println("answered " + request.getRequestURI());
    }
}
