package com.example.harbour;

import java.io.IOException;

import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers at the root of the application; {@code status.jsp} and the style sheet stay with the container. */
public class HarbourServlet extends HttpServlet {

    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(HarbourServlet.class);

    private transient Greeting greeting;

    @Override
    public void init() {
        Settings settings = Settings.load();
        greeting = new Greeting(settings, new Quay(settings.berths()));
        LOG.info("{} {} is open with {} berths", settings.name(), settings.version(), settings.berths().size());
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        LOG.info("called from {}", request.getRemoteAddr());
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().println(greeting.text());
    }
}
